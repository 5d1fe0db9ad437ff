// What an import reads of an ONNX file: the top level of the model, and tensors by name. Two levels of messages are walked field by
// field and the rest is skipped, so that depth, number of nodes and claimed sizes cost nothing.

import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { allocate, bytesPerElement, cut, type DType, type NdArray } from '@fkm/core/graph';
import { TensorProto_DataLocation, TensorProto_DataType } from './generated/onnx_pb.js';

/** Numbers of the fields that are read, from onnx.proto. */
const model = {
  producerName: 2,
  producerVersion: 3,
  domain: 4,
  modelVersion: 5,
  docString: 6,
  graph: 7,
  metadata: 14,
} as const;
export const graphFields = { node: 1, initializer: 5 } as const;
const tensor = { dims: 1, dataType: 2, name: 8, rawData: 9, docString: 12, dataLocation: 14 } as const;
const entry = { key: 1, value: 2 } as const;

const dtypes: ReadonlyMap<number, DType> = new Map<number, DType>([
  [TensorProto_DataType.FLOAT, 'float32'],
  [TensorProto_DataType.FLOAT16, 'float16'],
  [TensorProto_DataType.BFLOAT16, 'bfloat16'],
  [TensorProto_DataType.INT32, 'int32'],
  [TensorProto_DataType.BOOL, 'bool'],
]);

/** The message is not as expected: a plain Error, whose text callers include in their own. */
export class Malformed extends Error {}

export interface Field {
  readonly number: number;
  /** A varint, or length-delimited bytes; null for other types, which are never read. */
  readonly value: bigint | Uint8Array | null;
  /** Start of the whole field. */
  readonly begin: number;
  readonly end: number;
}

/** Most fields of a message: a model of ten million classes has fewer. */
const mostFields = 2 ** 24;
/** Most fields at the top level: each is an object here but may be only two bytes in the file. */
const mostParts = 4096;

/** The fields of a message, as views. Errors: Malformed, or an Error of the reader. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  const reader = new BinaryReader(bytes);
  for (let count = 0; reader.pos < reader.len; count++) {
    if (count === mostFields) throw new Malformed(`a message has more than ${mostFields} fields`);
    const begin = reader.pos;
    const [number, type] = reader.tag();
    let value: Field['value'] = null;
    if (type === WireType.Varint) value = BigInt(reader.int64());
    else if (type === WireType.LengthDelimited) value = reader.bytes();
    else if (type === WireType.Bit32 || type === WireType.Bit64) reader.skip(type, number);
    else throw new Malformed(`field ${number} is a group`);
    yield { number, value, begin, end: reader.pos };
  }
}

const bytesOf = ({ number, value }: Field): Uint8Array => {
  if (value instanceof Uint8Array) return value;
  throw new Malformed(`field ${number} has no length`);
};
const textOf = (field: Field): string => new TextDecoder('utf-8', { fatal: true }).decode(bytesOf(field));
const numberOf = ({ number, value }: Field): number => {
  if (typeof value === 'bigint') return Number(value);
  throw new Malformed(`field ${number} is no integer`);
};

export interface Parts {
  readonly producerName: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly graph: Uint8Array;
  /** Every other field of the model as bytes, except descriptive ones, which registries may set. */
  readonly others: readonly Uint8Array[];
}

const words: readonly number[] = [
  model.producerName,
  model.producerVersion,
  model.domain,
  model.modelVersion,
  model.docString,
];

/** The top level of a model. Errors: Malformed, or an Error of the reader. */
export function readParts(bytes: Uint8Array): Parts {
  let producerName = '';
  let found: Uint8Array | undefined;
  const metadata = new Map<string, string>();
  const others: Uint8Array[] = [];
  const said = new Set<number>();
  for (const field of fieldsOf(bytes)) {
    if (words.includes(field.number)) {
      // Protobuf would use the last one.
      if (said.has(field.number)) throw new Malformed(`it has field ${field.number} twice`);
      said.add(field.number);
    }
    switch (field.number) {
      case model.producerName:
        producerName = textOf(field);
        break;
      case model.producerVersion:
      case model.domain:
      case model.docString:
        textOf(field);
        break;
      case model.modelVersion:
        numberOf(field);
        break;
      case model.metadata: {
        const [key, value] = pairOf(bytesOf(field));
        if (metadata.has(key)) throw new Malformed(`it has the metadata ${cut(key)} twice`);
        metadata.set(key, value);
        break;
      }
      case model.graph:
        // Protobuf would merge them.
        if (found) throw new Malformed('it has two graphs');
        found = bytesOf(field);
        break;
      default:
        others.push(bytes.subarray(field.begin, field.end));
    }
    if (metadata.size + others.length > mostParts) throw new Malformed(`it has more than ${mostParts} parts`);
  }
  if (!found) throw new Malformed('it has no graph');
  return { producerName, metadata, graph: found, others };
}

function pairOf(bytes: Uint8Array): [string, string] {
  let [key, value] = ['', ''];
  for (const field of fieldsOf(bytes)) {
    if (field.number === entry.key) key = textOf(field);
    else if (field.number === entry.value) value = textOf(field);
  }
  return [key, value];
}

/** The initialisers of these names. Errors: Malformed, or an Error of the reader. */
export function readInitializers(bytes: Uint8Array, names: readonly string[]): Record<string, NdArray> {
  const arrays = new Map<string, NdArray>();
  for (const field of fieldsOf(bytes)) {
    if (field.number !== graphFields.initializer) continue;
    const raw = bytesOf(field);
    const name = nameOf(raw);
    if (!names.includes(name)) continue;
    if (arrays.has(name)) throw new Malformed(`it has the initialiser ${name} twice`);
    arrays.set(name, arrayOf(name, raw));
  }
  return Object.fromEntries(arrays);
}

function nameOf(bytes: Uint8Array): string {
  let name = '';
  for (const field of fieldsOf(bytes)) if (field.number === tensor.name) name = textOf(field);
  return name;
}

/** More axes than any array of a model has. */
const mostAxes = 8;

function arrayOf(name: string, bytes: Uint8Array): NdArray {
  const shape: number[] = [];
  let type = 0;
  let raw: Uint8Array | undefined;
  for (const field of fieldsOf(bytes)) {
    switch (field.number) {
      case tensor.dims:
        shape.push(numberOf(field));
        if (shape.length > mostAxes) throw new Malformed(`${name} has more than ${mostAxes} axes`);
        break;
      case tensor.dataType:
        type = numberOf(field);
        break;
      case tensor.rawData:
        raw = bytesOf(field);
        break;
      case tensor.dataLocation:
        if (numberOf(field) === TensorProto_DataLocation.EXTERNAL)
          throw new Malformed(`${name} is in another file`);
        break;
      case tensor.name:
      case tensor.docString:
        break;
      default:
        throw new Malformed(`${name} has its numbers in field ${field.number}, not in raw_data`);
    }
  }
  const dtype = dtypes.get(type);
  if (!dtype) throw new Malformed(`${name} has the type ${type}`);
  const size = shape.reduce((product, dim) => (dim >= 0 ? product * dim : Number.NaN), 1);
  // The actual bytes determine the allocation, never the claimed shape.
  if (!raw || size * bytesPerElement[dtype] !== raw.length) {
    throw new Malformed(`${name} has ${raw?.length ?? 0} bytes for the shape [${shape}] of ${dtype}`);
  }
  const data = allocate(dtype, size);
  new Uint8Array(data.buffer).set(raw);
  return { data, shape, dtype };
}
