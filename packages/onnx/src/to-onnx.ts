// Graph → bytes of an ONNX model: the lowering that backends run and that exports write.

import { create, toBinary } from '@bufbuild/protobuf';
import { BATCH, type Graph, OptionError, type Var, verify } from '@fkm/core/graph';
import { Context } from './context.js';
import { flatten } from './flatten.js';
import { fused } from './fused.js';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.js';
import { lower } from './lowering.js';
import { elementType } from './writer.js';

/** Operator sets that the lowering writes: 16 brought the adding ScatterND. */
export const opsets = { least: 16, most: 21 } as const;
/** Versions of the file format: 8 belongs to opset 16, 10 to 21. */
export const irVersions = { least: 8, most: 10 } as const;

export interface ToOnnxOptions {
  /** Version of the operator set, 16 … 21. Default 17. */
  readonly opset?: number;
  /** Version of the file format, 8 … 10. Default 8, which every reader of these opsets takes. */
  readonly irVersion?: number;
  /** Default '@fkm/onnx'. */
  readonly producerName?: string;
  /** Keys and values kept in the file, where readers find them as the model's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Name of the symbolic batch dimension. Default 'B'. */
  readonly batchName?: string;
}

function within(option: string, value: number, { least, most }: { least: number; most: number }): number {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new OptionError(
      `toOnnx: ${option} is ${value}; take an integer from ${least} to ${most}.`,
      { option, value, least, most },
      'onnx',
    );
  }
  return value;
}

/**
 * The graph as an ONNX model. Inputs keep the names of their ports; so do outputs, but for `.out` behind a name that an
 * input has too. Equal graphs give equal bytes. Errors: OptionError, GraphError.
 */
export function toOnnx(graph: Graph, options: ToOnnxOptions = {}): Uint8Array {
  const opset = within('opset', options.opset ?? 17, opsets);
  const irVersion = within('irVersion', options.irVersion ?? 8, irVersions);
  const batchName = options.batchName ?? 'B';
  const flat = flatten(verify(graph), (name) => Object.hasOwn(fused, name));
  const taken = new Set(flat.inputs.map((port) => port.name));
  const outputs = flat.outputs.map(({ name }) => {
    let unique = name;
    while (taken.has(unique)) unique += '.out';
    taken.add(unique);
    return unique;
  });

  const ctx = new Context(flat, outputs, opset);
  for (const equation of flat.equations) lower(ctx, equation);
  flat.outputs.forEach(({ variable }, i) => {
    const name = ctx.name(variable);
    if (name !== outputs[i]) ctx.write.node('Identity', [name], {}, outputs[i]);
  });

  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    opsetImport: [create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) })],
    producerName: options.producerName ?? '@fkm/onnx',
    metadataProps: Object.entries(options.metadata ?? {}).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
    graph: create(GraphProtoSchema, {
      name: flat.name,
      node: ctx.write.nodes,
      initializer: ctx.write.initializers,
      input: flat.inputs.map(({ name, variable }) => valueInfo(name, variable, batchName)),
      output: flat.outputs.map(({ variable }, i) => valueInfo(outputs[i] as string, variable, batchName)),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

function valueInfo(name: string, { dtype, shape }: Var, batchName: string): ValueInfoProto {
  const dim = (size: number): TensorShapeProto_Dimension =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        size === BATCH ? { case: 'dimParam', value: batchName } : { case: 'dimValue', value: BigInt(size) },
    });
  const tensor = create(TypeProto_TensorSchema, {
    elemType: elementType[dtype],
    shape: create(TensorShapeProtoSchema, { dim: shape.map(dim) }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  });
}
