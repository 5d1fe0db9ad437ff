// Collects the nodes and initialisers of one ONNX graph under unique names. It knows protobuf messages, but none of our ops.

import { create } from '@bufbuild/protobuf';
import { type DType, type NdArray, type Shape, sizeOf } from '@fkm/core/graph';
import {
  type AttributeProto,
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProto_DataType,
  TensorProtoSchema,
} from './generated/onnx_pb.js';

/** An attribute: a number is an int, a string is UTF-8, a list is of ints, of strings, or in a Float32Array of floats. */
export type Attribute =
  | number
  | string
  | readonly number[]
  | readonly string[]
  | Float32Array
  | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

/** What a node may say besides what it computes: the domain of its op, and a note for readers. */
export interface AboutNode {
  readonly domain?: string;
  readonly docString?: string;
}

/** Domain of the ops that read texts as numbers. */
export const mlDomain = 'ai.onnx.ml';

/** The ONNX element type of each of our dtypes. */
export const elementType: Readonly<Record<DType, TensorProto_DataType>> = {
  float32: TensorProto_DataType.FLOAT,
  float16: TensorProto_DataType.FLOAT16,
  bfloat16: TensorProto_DataType.BFLOAT16,
  int32: TensorProto_DataType.INT32,
  bool: TensorProto_DataType.BOOL,
};

/** The element type of a list that `GraphWriter.list` writes. */
export const elementTypeOf = (values: readonly (string | number)[]): TensorProto_DataType =>
  values.every((value) => Number.isSafeInteger(value))
    ? TensorProto_DataType.INT64
    : typeof values[0] === 'string'
      ? TensorProto_DataType.STRING
      : TensorProto_DataType.DOUBLE;

const littleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** The bytes of an array as ONNX stores them, little-endian; a view if the host is little-endian. */
function rawBytes(data: ArrayBufferView & { readonly BYTES_PER_ELEMENT: number }): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (littleEndian || data.BYTES_PER_ELEMENT === 1) return bytes;
  const width = data.BYTES_PER_ELEMENT;
  return bytes.map((_, i) => bytes[i - (i % width) + (width - 1 - (i % width))] as number);
}

const isTexts = (value: Attribute): value is readonly string[] =>
  Array.isArray(value) && typeof value[0] === 'string';

function attributeProto(name: string, value: Attribute): AttributeProto {
  const type = AttributeProto_AttributeType;
  if (typeof value === 'number')
    return create(AttributeProtoSchema, { name, type: type.INT, i: BigInt(value) });
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: type.STRING, s: new TextEncoder().encode(value) });
  }
  if (isTexts(value)) {
    const strings = value.map((text) => new TextEncoder().encode(text));
    return create(AttributeProtoSchema, { name, type: type.STRINGS, strings });
  }
  if (value instanceof Float32Array)
    return create(AttributeProtoSchema, { name, type: type.FLOATS, floats: [...value] });
  if ('float' in value) return create(AttributeProtoSchema, { name, type: type.FLOAT, f: value.float });
  return create(AttributeProtoSchema, { name, type: type.INTS, ints: value.map(BigInt) });
}

/** Appends nodes in order of evaluation. */
export class GraphWriter {
  readonly nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  private readonly taken: Set<string>;
  private readonly held = new Set<string>();
  private readonly counts = new Map<string, number>();
  private readonly shared = new Map<string, string>();

  /** `reserved`: names of inputs and outputs. */
  constructor(reserved: Iterable<string>) {
    this.taken = new Set(reserved);
  }

  /** A name that no other value has: stem_0, stem_1, … */
  fresh(stem: string): string {
    for (;;) {
      const count = this.counts.get(stem) ?? 0;
      this.counts.set(stem, count + 1);
      const name = `${stem}_${count}`;
      if (!this.taken.has(name)) {
        this.taken.add(name);
        return name;
      }
    }
  }

  /** The name itself where no other value has it, else one like it. */
  named(name: string): string {
    if (this.taken.has(name)) return this.fresh(name);
    this.taken.add(name);
    return name;
  }

  /** Appends a node with one output, by default with a fresh name; returns the output's name. */
  node(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes = {},
    output?: string,
    about: AboutNode = {},
  ): string {
    const name = output ?? this.fresh(opType);
    this.nodeOf(opType, inputs, attributes, [name], about);
    return name;
  }

  /** The initialisers that some node or one of `others` reads: runtimes warn about unused ones. */
  read(others: readonly string[]): TensorProto[] {
    const names = new Set([...others, ...this.nodes.flatMap(({ input }) => input)]);
    return this.initializers.filter(({ name }) => names.has(name));
  }

  /** Appends a node with these outputs. */
  nodeOf(
    opType: string,
    inputs: readonly string[],
    attributes: Attributes,
    outputs: readonly string[],
    about: AboutNode = {},
  ): void {
    const attribute = Object.entries(attributes).map(([name, value]) => attributeProto(name, value));
    this.nodes.push(
      create(NodeProtoSchema, {
        opType,
        name: outputs[0] as string,
        input: [...inputs],
        output: [...outputs],
        attribute,
        ...about,
      }),
    );
  }

  /** An initialiser of one of our dtypes, by default with a fresh name. */
  constant({ data, dtype, shape }: NdArray, name: string = this.fresh('const')): string {
    return this.initializer(name, elementType[dtype], shape, data);
  }

  /** Whether a value is an initialiser. */
  holds(name: string): boolean {
    return this.held.has(name);
  }

  /** The entries of a list as an initialiser: texts, integers as int64, or numbers as double. */
  list(values: readonly (string | number)[]): string {
    const name = this.fresh('names');
    const dataType = elementTypeOf(values);
    if (dataType === TensorProto_DataType.STRING) {
      const stringData = values.map((value) => new TextEncoder().encode(String(value)));
      this.initializers.push(
        create(TensorProtoSchema, { name, dataType, dims: [BigInt(values.length)], stringData }),
      );
      return name;
    }
    const numbers = values as readonly number[];
    const data =
      dataType === TensorProto_DataType.INT64
        ? BigInt64Array.from(numbers, BigInt)
        : Float64Array.from(numbers);
    return this.initializer(name, dataType, [values.length], data);
  }

  /** A row of doubles. */
  doubles(values: Float64Array): string {
    return this.initializer(this.fresh('numbers'), TensorProto_DataType.DOUBLE, [values.length], values);
  }

  /** An int64 initialiser, as ONNX requires for shapes and axes; a scalar for a number. Equal ones are shared. */
  int64(values: number | readonly number[]): string {
    const key = JSON.stringify(values);
    let name = this.shared.get(key);
    if (name === undefined) {
      const list = typeof values === 'number' ? [values] : values;
      const data = BigInt64Array.from(list, BigInt);
      name = this.initializer(
        this.fresh('shape'),
        TensorProto_DataType.INT64,
        typeof values === 'number' ? [] : [list.length],
        data,
      );
      this.shared.set(key, name);
    }
    return name;
  }

  private initializer(
    name: string,
    dataType: TensorProto_DataType,
    shape: Shape,
    data: ArrayBufferView & { readonly BYTES_PER_ELEMENT: number; readonly length: number },
  ): string {
    if (data.length !== sizeOf(shape))
      throw new RangeError(`${name}: ${data.length} values for the shape [${shape}].`);
    this.held.add(name);
    this.initializers.push(
      create(TensorProtoSchema, { name, dataType, dims: shape.map(BigInt), rawData: rawBytes(data) }),
    );
    return name;
  }
}
