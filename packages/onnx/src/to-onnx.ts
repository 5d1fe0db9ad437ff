// From a graph to the bytes of an ONNX model; backends and exports use the same lowering.

import { create, toBinary } from '@bufbuild/protobuf';
import {
  BATCH,
  formatType,
  type Graph,
  inlineComposites,
  type NdArray,
  OptionError,
  type Shape,
  type Var,
  verify,
} from '@fkm/core/graph';
import { checkOptions, integer, objectOf, oneOf, type Rule, text } from '@fkm/core/internal';
import { computedOnce } from './computed-once.js';
import { Context } from './context.js';
import { fused } from './fused.js';
import {
  GraphProtoSchema,
  ModelProtoSchema,
  OperatorSetIdProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataType,
  type TensorShapeProto_Dimension,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './generated/onnx_pb.js';
import { lower } from './lowering.js';
import { elementType, elementTypeOf, type GraphWriter, mlDomain } from './writer.js';

/** Operator sets that the lowering writes; 16 introduced the adding ScatterND. */
export const opsets = { least: 16, most: 21 } as const;
/** Versions of the file format: 8 belongs to opset 16, 10 to opset 21. */
export const irVersions = { least: 8, most: 10 } as const;

export interface ToOnnxOptions {
  /** Version of the operator set, 16 … 21. Default 17. */
  readonly opset?: number;
  /** Version of the file format, 8 … 10. Default 8, which every reader of these opsets accepts. */
  readonly irVersion?: number;
  /** Default '@fkm/onnx'. */
  readonly producerName?: string;
  /** Keys and values kept in the file, where readers find them as the model's metadata. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Name of the symbolic batch dimension. Default 'B'. */
  readonly batchName?: string;
  /** Arrays in place of the inputs of these names: they become initialisers with these names. */
  readonly constants?: Readonly<Record<string, NdArray>>;
  /**
   * int32 outputs to convert: to int64, or, if they are indices into a list, to its entries: strings, integers (int64) or other
   * numbers (double).
   */
  readonly labels?: Readonly<Record<string, 'int64' | readonly (string | number)[]>>;
  /** Numbers [T] added to float outputs [.., T], which become double. */
  readonly centers?: Readonly<Record<string, Float64Array>>;
  /** Write TopK as the ONNX op, or as k rounds of ArgMax for runtimes whose TopK runs on the CPU. Default 'op'. */
  readonly topK?: 'op' | 'argMax';
  /**
   * Write scatter-add as the ONNX op, or as a product with a one-hot matrix for runtimes whose op adds in random order. With
   * 'product', the same inputs give the same bits; all addends must be finite. Default 'op'.
   */
  readonly scatter?: 'op' | 'product';
  /** Version of the producer, and a description of the model. */
  readonly producerVersion?: string;
  readonly description?: string;
}

const rules: { readonly [N in keyof ToOnnxOptions]-?: Rule } = {
  opset: integer(opsets.least, opsets.most),
  irVersion: integer(irVersions.least, irVersions.most),
  producerName: text,
  producerVersion: text,
  description: text,
  metadata: objectOf('an object of texts'),
  batchName: text,
  constants: objectOf('an object of arrays by the names of inputs'),
  labels: objectOf("an object of 'int64' or lists by the names of outputs"),
  centers: objectOf('an object of Float64Arrays by the names of outputs'),
  topK: oneOf('op', 'argMax'),
  scatter: oneOf('op', 'product'),
};

/**
 * The graph as an ONNX model. Inputs and outputs keep the names of their ports; an output with the name of an input gets the suffix
 * `.out`. Equal graphs give equal bytes. Errors: OptionError, GraphError.
 */
export function toOnnx(graph: Graph, options: ToOnnxOptions = {}): Uint8Array {
  checkOptions(options, rules, { call: 'toOnnx', scope: 'onnx' });
  return lowered(graph, options);
}

/** An input or output of a file. */
export interface ValueSpec {
  readonly name: string;
  readonly type: TensorProto_DataType;
  readonly shape: Shape;
  readonly doc?: string | undefined;
}

/** Nodes in front of a graph, which make some of its inputs of others. */
export interface Front {
  /** Inputs of the file. */
  readonly inputs: readonly ValueSpec[];
  /** The inputs of the graph that the nodes make, and that are none of the file. */
  readonly makes: readonly string[];
  /** Version of ai.onnx.ml; undefined where no node is of it. */
  readonly mlOpset: number | undefined;
  /** Appends the nodes, whose outputs are called like what they make. */
  write(writer: GraphWriter): void;
}

/** As `toOnnx`, with nodes in front of the graph, and notes on inputs and outputs by the names of their ports. */
export function lowered(
  graph: Graph,
  options: ToOnnxOptions,
  { front, docs = {} }: { readonly front?: Front; readonly docs?: Readonly<Record<string, string>> } = {},
): Uint8Array {
  const { opset = 17, irVersion = 8, batchName = 'B', constants = {}, labels = {}, centers = {} } = options;
  const flat = computedOnce(inlineComposites(verify(graph), ({ attrs }) => Object.hasOwn(fused, attrs.name)));
  checkConstants(flat, constants);
  const taken = new Set([...flat.inputs, ...(front?.inputs ?? [])].map(({ name }) => name));
  const outputs = flat.outputs.map(({ name }) => {
    let unique = name;
    while (taken.has(unique)) unique += '.out';
    taken.add(unique);
    return unique;
  });
  const label = (i: number): 'int64' | readonly (string | number)[] | undefined => {
    const { name } = flat.outputs[i] as Graph['outputs'][number];
    return Object.hasOwn(labels, name) ? labels[name] : undefined;
  };

  const centerOf = (i: number): Float64Array | undefined => {
    const { name } = flat.outputs[i] as Graph['outputs'][number];
    return Object.hasOwn(centers, name) ? centers[name] : undefined;
  };

  const asComputed = outputs.map((name, i) =>
    label(i) === undefined && centerOf(i) === undefined ? name : null,
  );
  const ctx = new Context(flat, asComputed, {
    opset,
    topK: options.topK,
    scatter: options.scatter,
    reserved: [...taken],
  });
  front?.write(ctx.write);
  for (const [name, array] of Object.entries(constants)) ctx.write.constant(array, name);
  for (const equation of flat.equations) lower(ctx, equation);
  flat.outputs.forEach(({ variable }, i) => {
    const [name, output, as] = [ctx.name(variable), outputs[i] as string, label(i)];
    const center = centerOf(i);
    if (center) {
      const wide = ctx.write.node('Cast', [name], { to: TensorProto_DataType.DOUBLE });
      ctx.write.node('Add', [wide, ctx.write.doubles(center)], {}, output);
    } else if (as === 'int64') ctx.write.node('Cast', [name], { to: TensorProto_DataType.INT64 }, output);
    else if (as !== undefined) ctx.write.node('Gather', [ctx.write.list(as), name], { axis: 0 }, output);
    else if (name !== output) ctx.write.node('Identity', [name], {}, output);
  });
  const given = flat.inputs.filter(
    ({ name }) => !Object.hasOwn(constants, name) && !front?.makes.includes(name),
  );
  const typeOf = (i: number, { dtype }: Var): TensorProto_DataType => {
    const as = label(i);
    if (centerOf(i)) return TensorProto_DataType.DOUBLE;
    if (as === undefined) return elementType[dtype];
    return as === 'int64' ? TensorProto_DataType.INT64 : elementTypeOf(as);
  };

  const model = create(ModelProtoSchema, {
    irVersion: BigInt(irVersion),
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) }),
      ...(front?.mlOpset === undefined
        ? []
        : [create(OperatorSetIdProtoSchema, { domain: mlDomain, version: BigInt(front.mlOpset) })]),
    ],
    producerName: options.producerName ?? '@fkm/onnx',
    ...(options.producerVersion === undefined ? {} : { producerVersion: options.producerVersion }),
    ...(options.description === undefined ? {} : { docString: options.description }),
    metadataProps: Object.entries(options.metadata ?? {}).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    ),
    graph: create(GraphProtoSchema, {
      name: flat.name,
      node: ctx.write.nodes,
      initializer: ctx.write.read(outputs),
      input: [
        ...(front?.inputs ?? []),
        ...given.map(({ name, variable: { dtype, shape } }) => ({
          name,
          type: elementType[dtype],
          shape,
          doc: docs[name],
        })),
      ].map((spec) => valueInfo(spec, batchName)),
      output: flat.outputs.map(({ name, variable }, i) =>
        valueInfo(
          {
            name: outputs[i] as string,
            type: typeOf(i, variable),
            shape: variable.shape,
            doc: docs[name],
          },
          batchName,
        ),
      ),
    }),
  });
  return toBinary(ModelProtoSchema, model);
}

/** Errors: OptionError for a constant that matches no input. */
function checkConstants({ inputs }: Graph, constants: Readonly<Record<string, NdArray>>): void {
  for (const [name, array] of Object.entries(constants)) {
    const variable = inputs.find((port) => port.name === name)?.variable;
    if (variable && formatType(variable) === formatType(array)) continue;
    const wanted = variable ? formatType(variable) : `one of ${inputs.map((port) => port.name).join(', ')}`;
    throw new OptionError(
      `toOnnx: the constant ${name} is ${formatType(array)}, the graph's input is ${wanted}; pass an array of that type.`,
      { option: 'constants', name },
      'onnx',
    );
  }
}

function valueInfo({ name, type, shape, doc }: ValueSpec, batchName: string): ValueInfoProto {
  const dim = (size: number): TensorShapeProto_Dimension =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        size === BATCH ? { case: 'dimParam', value: batchName } : { case: 'dimValue', value: BigInt(size) },
    });
  const tensor = create(TypeProto_TensorSchema, {
    elemType: type,
    shape: create(TensorShapeProtoSchema, { dim: shape.map(dim) }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
    ...(doc === undefined ? {} : { docString: doc }),
  });
}
