// The text of an ONNX model, one line a node, for tests and readers.

import {
  type AttributeProto,
  AttributeProto_AttributeType,
  type ModelProto,
  type TensorProto,
  TensorProto_DataType,
  type ValueInfoProto,
} from './generated/onnx_pb.js';

const typeNames = new Map<number, string>(
  Object.entries(TensorProto_DataType).map(([name, value]) => [value, name.toLowerCase()]),
);

function attribute({ name, type, i, f, s, ints }: AttributeProto): string {
  const kinds = AttributeProto_AttributeType;
  switch (type) {
    case kinds.INT:
      return `${name}=${name === 'to' ? typeNames.get(Number(i)) : i}`;
    case kinds.FLOAT:
      return `${name}=${f}`;
    case kinds.STRING:
      return `${name}=${new TextDecoder().decode(s)}`;
    case kinds.INTS:
      return `${name}=[${ints}]`;
    default:
      return `${name}=…`;
  }
}

function port({ name, type }: ValueInfoProto): string {
  if (type?.value.case !== 'tensorType') return name;
  const { elemType, shape } = type.value.value;
  return `${name}: ${typeNames.get(elemType)}[${shape?.dim.map((dim) => dim.value.value ?? '?') ?? '…'}]`;
}

const arrays = {
  [TensorProto_DataType.INT64]: BigInt64Array,
  [TensorProto_DataType.INT32]: Int32Array,
  [TensorProto_DataType.FLOAT]: Float32Array,
} as const;

function content({ dataType, dims, rawData }: TensorProto): string {
  const size = dims.reduce((a, b) => a * b, 1n);
  const List = arrays[dataType as keyof typeof arrays];
  // A copy, since the bytes of a message may start at any offset.
  const values = List && size <= 8n ? ` {${new List(rawData.slice().buffer)}}` : '';
  return `${typeNames.get(dataType)}[${dims}]${values}`;
}

/** Prints the initialisers, then one line for each node. For reading, not for parsing. */
export function printOnnx(model: ModelProto): string {
  const graph = model.graph;
  if (!graph) return `(no graph)`;
  const lines = [
    ...graph.initializer.map((tensor) => `  ${tensor.name} = ${content(tensor)}`),
    ...graph.node.map((node) => {
      const attributes = node.attribute.map(attribute).join(' ');
      return `  ${node.output.join(', ')} = ${node.opType}(${node.input.join(', ')})${attributes ? ` ${attributes}` : ''}`;
    }),
  ];
  const versions = model.opsetImport
    .map(({ domain, version }) => `${domain ? `${domain} ` : ''}${version}`)
    .join(', ');
  return [
    `${graph.name}(${graph.input.map(port).join(', ')}) opset ${versions} {`,
    ...lines,
    `  return ${graph.output.map(port).join(', ')}`,
    '}',
  ].join('\n');
}
