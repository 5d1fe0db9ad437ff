// The text of a graph: tests read it, and it is the cache key of compiled graphs.

import type { NdArray } from '../dtype.js';
import { formatType } from './infer.js';
import type { Equation, Graph, OpAttrs, Var } from './ir.js';

/** 53-bit hash of an array's bytes, as hex (cyrb53, Bryc 2018, public domain). */
function fingerprint({ data }: NdArray): string {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  let [a, b] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ (bytes[i] as number), 2654435761);
    b = Math.imul(b ^ (bytes[i] as number), 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return (4294967296 * (2097151 & b) + (a >>> 0)).toString(16);
}

const short: Record<string, string> = {
  float32: 'f32',
  float16: 'f16',
  bfloat16: 'bf16',
  int32: 'i32',
  bool: 'bool',
};
const typeOf = (v: Var): string => formatType(v).replace(/^[a-z0-9]+/, (dtype) => short[dtype] ?? dtype);

function attributes(equation: Equation): string {
  if (equation.op === 'constant') {
    const { value } = equation.attrs as OpAttrs['constant'];
    // −0 is printed as such: x/0 and x/−0 differ.
    const numbers = (): string[] => Array.from(value.data, (x) => (Object.is(x, -0) ? '-0' : `${x}`));
    return value.data.length <= 8 ? `{${numbers().join(', ')}}` : `#${fingerprint(value)}`;
  }
  return Object.entries(equation.attrs)
    .filter(([, value]) => value !== false && typeof value !== 'object')
    .map(([key, value]) => `${key}=${value}`)
    .concat(
      Object.entries(equation.attrs)
        .filter(([, value]) => Array.isArray(value))
        .map(([key, value]) => `${key}=[${value}]`),
    )
    .join(' ');
}

/** Prints one line for each equation; bodies of composites are indented below them. */
export function print(graph: Graph): string {
  const names = new Map<number, string>(graph.inputs.map((port) => [port.variable.id, port.name]));
  let count = 0;
  const name = (v: Var): string => {
    let known = names.get(v.id);
    if (known === undefined) {
      known = `%${count++}`;
      names.set(v.id, known);
    }
    return known;
  };
  const lines = graph.equations.map((equation) => {
    const inputs = equation.inputs.map(name).join(', ');
    const outputs = equation.outputs.map((v) => `${name(v)}: ${typeOf(v)}`).join(', ');
    const extra = attributes(equation);
    const body =
      equation.op === 'composite'
        ? ` ${print((equation.attrs as OpAttrs['composite']).body).replaceAll('\n', '\n  ')}`
        : '';
    return `  ${outputs} = ${equation.op}(${inputs})${extra ? ` ${extra}` : ''}${body}`;
  });
  const inputs = graph.inputs.map((port) => `${port.name}: ${typeOf(port.variable)}`).join(', ');
  const outputs = graph.outputs.map((port) => `${port.name}=${name(port.variable)}`).join(', ');
  return [`${graph.name}(${inputs}) {`, ...lines, `  return ${outputs}`, '}'].join('\n');
}

const keys = new WeakMap<Graph, string>();

/** Cache key: the printed graph with large constants as fingerprints. Equal keys mean equal computations. */
export function graphKey(graph: Graph): string {
  let key = keys.get(graph);
  if (key === undefined) {
    key = print(graph);
    keys.set(graph, key);
  }
  return key;
}
