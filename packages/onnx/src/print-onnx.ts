// The text of an ONNX model, one line a node: what tests and people read.

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

function content({ dataType, dims, rawData }: TensorProto): string {
  const type = typeNames.get(dataType);
  const size = dims.reduce((a, b) => a * b, 1n);
  if (dataType === TensorProto_DataType.INT64 && size <= 8n) {
    const copy = rawData.slice();
    return `int64[${dims}] {${new BigInt64Array(copy.buffer)}}`;
  }
  return `${type}[${dims}]`;
}

/** One line a node, after the initialisers; for reading, not for parsing. */
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
