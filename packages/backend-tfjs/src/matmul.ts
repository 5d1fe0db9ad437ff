// Matrix products. tfjs' cpu kernel takes transposes and batches. Its wasm kernel is fast only for two plain matrices, neither
// transposed, so other products are brought to that form.

import { broadcastShapes, sizeOf } from '@fkm/core/graph';
import type { Primitives } from './primitives.js';
import type { TensorInfo } from './tfjs.js';

interface Flags {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

export type Product = (a: TensorInfo, b: TensorInfo, flags: Flags) => TensorInfo;

const leading = (x: TensorInfo): number[] => x.shape.slice(0, -2);
const lastTwo = (x: TensorInfo): [number, number] => x.shape.slice(-2) as [number, number];

/** a·b over the last two axes, leading axes broadcast. */
export function product(p: Primitives): Product {
  const { device } = p;
  const kernel = device.kernel('BatchMatMul');
  const divide = device.kernel('RealDiv');
  /** x / 1, which writes zeros beyond the last row and column. */
  const padded = (x: TensorInfo): TensorInfo =>
    device.using(p.fill([], 1, 'float32'), (one) => divide({ a: stack(p, x), b: one }));
  const multiplied = device.quirks.packsMatrices ? packedProduct(p) : null;

  return (a, b, flags) => {
    const { transposeA, transposeB } = flags;
    const lead = broadcastShapes(leading(a), leading(b)) as number[];
    const [m, n] = [lastTwo(a)[transposeA ? 1 : 0], lastTwo(b)[transposeB ? 0 : 1]];
    const shape = [...lead, m, n];
    const [countA, countB] = [sizeOf(leading(a)), sizeOf(leading(b))];
    if (multiplied && (countA === 1 || countB === 1) && worthPacking(a, b, flags)) {
      return device.view(multiplied(stack(p, a), stack(p, b), flags), shape);
    }
    const count = sizeOf(lead);
    const wide = (x: TensorInfo, known: number): TensorInfo =>
      known === count || known === 1 ? device.share(x) : p.expand(x, [...lead, ...lastTwo(x)]);
    const beyond = device.quirks.dirtyPadding && (lastTwo(a)[transposeA ? 0 : 1] as number) % 2 === 1;
    const operand = (x: TensorInfo, known: number): TensorInfo =>
      beyond ? device.using(wide(x, known), padded) : wide(x, known);
    return device.using(operand(a, countA), (x) =>
      device.using(operand(b, countB), (y) =>
        device.view(kernel({ a: stack(p, x), b: stack(p, y) }, { transposeA, transposeB }), shape),
      ),
    );
  };
}

/**
 * Whether packing pays: transposing costs about four times as much an element as a multiplication of the slow kernel. Stacks of
 * different lengths always pay, since the longer one becomes the rows of a single product.
 */
function worthPacking(a: TensorInfo, b: TensorInfo, { transposeA, transposeB }: Flags): boolean {
  const [m, n] = [lastTwo(a)[transposeA ? 1 : 0], lastTwo(b)[transposeB ? 0 : 1]];
  // Relative to m·k·n multiplications: m·k elements of a, k·n of b.
  const transposed = (transposeA ? 1 / n : 0) + (transposeB ? 1 / m : 0);
  return sizeOf(leading(a)) !== sizeOf(leading(b)) || 4 * transposed < 1;
}

/** x as a stack of matrices. */
const stack = ({ device }: Primitives, x: TensorInfo): TensorInfo =>
  device.view(x, [sizeOf(leading(x)), ...lastTwo(x)]);

/** Inner size by dataId of every array that was a right operand on a device that packs. */
const packed = new WeakMap<object, number>();

/** Products of two stacks, one of them a single matrix, as one product of two plain matrices each. */
function packedProduct(p: Primitives): Product {
  const { device } = p;
  const kernel = device.kernel('BatchMatMul');
  const multiply = p.binary('Multiply');

  const plain = (a: TensorInfo, b: TensorInfo): TensorInfo =>
    kernel({ a, b }, { transposeA: false, transposeB: false });
  /**
   * x[m,k]·y[k,n]. XNNPACK packs y at its first use and caches it by dataId only, so another shape of the same data needs a copy.
   */
  const matrices = (x: TensorInfo, y: TensorInfo): TensorInfo => {
    const [a, b] = [device.view(x, [1, ...x.shape]), device.view(y, [1, ...y.shape])];
    const inner = y.shape[0] as number;
    const known = packed.get(y.dataId);
    if (known === undefined) packed.set(y.dataId, inner);
    if (known === undefined || known === inner) return plain(a, b);
    return device.using(p.fill([], 1, 'float32'), (one) =>
      device.using(multiply(b, one), (copy) => plain(a, copy)),
    );
  };

  const run: Product = (a, b, { transposeA, transposeB }) => {
    if (b.shape[0] !== 1) {
      // (a·b)ᵀ = bᵀ·aᵀ turns the matrices of b into the rows of one product.
      return device.using(run(b, a, { transposeA: !transposeB, transposeB: !transposeA }), (flipped) => {
        const [count, n] = [b.shape[0] as number, b.shape[transposeB ? 1 : 2] as number];
        return p.swap(device.view(flipped, [count, n, a.shape[transposeA ? 2 : 1] as number]));
      });
    }
    return device.using(transposeA ? p.swap(a) : device.share(a), (x) =>
      device.using(transposeB ? p.swap(b) : device.share(b), (y) => {
        const [count, m, k] = x.shape as [number, number, number];
        return matrices(device.view(x, [count * m, k]), device.view(y, y.shape.slice(1)));
      }),
    );
  };
  return run;
}
