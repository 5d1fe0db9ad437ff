import {
  add,
  argMax,
  BATCH,
  cast,
  composite,
  constantLike,
  exp,
  type Graph,
  GraphError,
  matmul,
  mul,
  ndarray,
  neg,
  OptionError,
  reduceMax,
  scatter,
  simplify,
  softmax,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  type TensorSpec,
  topK,
  trace,
} from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { printOnnx } from './print-onnx.js';
import { readOnnx } from './read-onnx.js';
import { type ToOnnxOptions, toOnnx } from './to-onnx.js';

const f32 = (...shape: number[]): TensorSpec => ({ shape, dtype: 'float32' });
const lowered = (graph: Graph, options?: ToOnnxOptions): string =>
  printOnnx(readOnnx(toOnnx(graph, options)));

describe('nodes', () => {
  it('the largest and where it is: one reading of the wide axis, in groups', () => {
    const graph = trace('search', { x: f32(BATCH, 256) }, ({ x }) => ({
      best: reduceMax(x, -1),
      owner: argMax(x),
      kept: reduceMax(x, 0, { keepDims: true }),
    }));
    const nodes = lowered(graph)
      .split('\n')
      .filter((line) => line.includes('= ReduceMax('));
    expect(nodes.map((line) => line.replace(/.*= /, ''))).toEqual([
      'ReduceMax(Reshape_0) axes=[2] keepdims=0',
      'ReduceMax(ReduceMax_0) axes=[1] keepdims=0',
      'ReduceMax(x) axes=[0] keepdims=1',
    ]);
  });

  it('nearest prototype: a Gemm, and a search in two levels', () => {
    const graph = trace('nearest', { x: f32(BATCH, 8), p: f32(256, 8) }, ({ x, p }) => ({
      owner: argMax(sub(matmul(x, p, { transposeB: true }), mul(sum(square(p), -1), 0.5))),
    }));
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "nearest(x: float[B,8], p: float[256,8]) opset 17 {
        shape_0 = int64[1] {1}
        const_0 = float[] {0.5}
        shape_1 = int64[3] {-1,8,32}
        shape_2 = int64[1] {-1}
        const_1 = int32[] {32}
        Gemm_0 = Gemm(x, p) transB=1
        Mul_0 = Mul(p, p)
        ReduceSum_0 = ReduceSum(Mul_0, shape_0) keepdims=0
        Mul_1 = Mul(ReduceSum_0, const_0)
        Sub_0 = Sub(Gemm_0, Mul_1)
        Reshape_0 = Reshape(Sub_0, shape_1)
        ReduceMax_0 = ReduceMax(Reshape_0) axes=[2] keepdims=0
        ArgMax_0 = ArgMax(ReduceMax_0) axis=1 keepdims=1
        GatherND_0 = GatherND(Reshape_0, ArgMax_0) batch_dims=1
        ArgMax_1 = ArgMax(GatherND_0) axis=1 keepdims=0
        Reshape_1 = Reshape(ArgMax_0, shape_2)
        Cast_0 = Cast(Reshape_1) to=int32
        Mul_2 = Mul(Cast_0, const_1)
        Cast_1 = Cast(ArgMax_1) to=int32
        Add_0 = Add(Mul_2, Cast_1)
        owner = Reshape(Add_0, shape_2)
        return owner: int32[B]
      }"
    `);
  });

  it('a linear layer: bias and scale are taken into the Gemm, softmax is one node and its floor', () => {
    const graph = trace('layer', { x: f32(BATCH, 3), w: f32(3, 4), b: f32(4) }, ({ x, w, b }) => ({
      y: softmax(add(mul(matmul(x, w), 2), b)),
    }));
    expect(lowered(simplify(graph))).toMatchInlineSnapshot(`
      "layer(x: float[B,3], w: float[3,4], b: float[4]) opset 17 {
        const_1 = float[] {9.999999887266023e-27}
        Gemm_0 = Gemm(x, w, b) alpha=2
        Softmax_0 = Softmax(Gemm_0) axis=-1
        y = Max(Softmax_0, const_1)
        return y: float[B,4]
      }"
    `);
  });

  it('sums by owner and the k largest, at opset 18', () => {
    const graph = trace(
      'sums',
      { s: f32(4, 2), x: f32(BATCH, 2), k: { shape: [BATCH], dtype: 'int32' } },
      ({ s, x, k }) => ({
        sums: scatter(s, k, x),
        ...topK(x, 1),
      }),
    );
    expect(lowered(graph, { opset: 18, batchName: 'rows' })).toMatchInlineSnapshot(`
      "sums(s: float[4,2], x: float[rows,2], k: int32[rows]) opset 18 {
        shape_0 = int64[2] {-1,1}
        shape_1 = int64[2] {1,2}
        shape_2 = int64[1] {1}
        Reshape_0 = Reshape(k, shape_0)
        Expand_0 = Expand(Reshape_0, shape_1)
        sums = ScatterElements(s, Expand_0, x) axis=0 reduction=add
        values, TopK_0 = TopK(x, shape_2) axis=-1 largest=1 sorted=1
        indices = Cast(TopK_0) to=int32
        return sums: float[4,2], values: float[rows,1], indices: int32[rows,1]
      }"
    `);
  });

  it('stopGradient and casts to the same dtype are no nodes; outputs that are no node of their own are copies', () => {
    const graph = trace('ports', { x: f32(BATCH) }, ({ x }) => {
      const y = neg(x);
      return { x, stopped: stopGradient(y), again: cast(y, 'float32'), three: constantLike(x, 3) };
    });
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "ports(x: float[B]) opset 17 {
        const_0 = float[] {3}
        again = Neg(x)
        x.out = Identity(x)
        stopped = Identity(again)
        three = Identity(const_0)
        return x.out: float[B], stopped: float[B], again: float[B], three: float[]
      }"
    `);
  });

  it('a composite is its body, inside of another one too', () => {
    const graph = trace('outer', { x: f32(BATCH, 2) }, ({ x }) =>
      composite('twice', { x }, (a) => ({
        y: exp(composite('once', { x: a.x }, (b) => ({ z: neg(b.x) })).z as typeof x),
      })),
    );
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "outer(x: float[B,2]) opset 17 {
        Neg_0 = Neg(x)
        y = Exp(Neg_0)
        return y: float[B,2]
      }"
    `);
  });
});

describe('equations', () => {
  it('of a composite that were there before are not written again', () => {
    const squared = (x: Tensor): Tensor => square(add(x, 1));
    const graph = trace('twice', { x: f32(BATCH, 2) }, ({ x }) => ({
      y: squared(x),
      z: exp(composite('inner', { x }, (t) => ({ z: squared(t.x) })).z as Tensor),
    }));
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "twice(x: float[B,2]) opset 17 {
        const_0 = float[] {1}
        Add_0 = Add(x, const_0)
        y = Mul(Add_0, Add_0)
        z = Exp(y)
        return y: float[B,2], z: float[B,2]
      }"
    `);
  });
});

describe('names', () => {
  it('an output that is called like an input is renamed, and nothing else is called like a port', () => {
    const graph = trace('step', { w: f32(2), 'w.out': f32(2), Exp_0: f32(2) }, (i) => ({
      w: mul(exp(exp(i.w)), i.Exp_0),
    }));
    expect(lowered(graph)).toMatchInlineSnapshot(`
      "step(w: float[2], w.out: float[2], Exp_0: float[2]) opset 17 {
        Exp_1 = Exp(w)
        Exp_2 = Exp(Exp_1)
        w.out.out = Mul(Exp_2, Exp_0)
        return w.out.out: float[2]
      }"
    `);
  });
});

describe('bytes', () => {
  const graph = (): Graph =>
    trace('same', { x: f32(BATCH, 3) }, ({ x }) => ({
      y: add(x, constantLike(x, ndarray([1, 2, 3], [3]))),
    }));

  it('equal graphs give equal bytes', () => {
    expect(toOnnx(graph())).toEqual(toOnnx(graph()));
  });

  it.each([
    ['float32', [0, 0, 192, 63]],
    ['float16', [0, 62]],
    ['bfloat16', [192, 63]],
    ['int32', [1, 0, 0, 0]],
    ['bool', [1]],
  ] as const)('%s constants are raw and little-endian', (dtype, raw) => {
    const constant = trace('c', { x: { shape: [], dtype } }, ({ x }) => ({
      y: constantLike(x, ndarray([1.5], [1], dtype)),
    }));
    const [tensor] = readOnnx(toOnnx(constant)).graph?.initializer ?? [];
    expect(Array.from(tensor?.rawData ?? [])).toEqual(raw);
    expect(tensor?.dims).toEqual([1n]);
  });

  it('options reach the file', () => {
    const model = readOnnx(
      toOnnx(graph(), { irVersion: 9, producerName: 'test', metadata: { a: '1', b: '2' } }),
    );
    expect([model.irVersion, model.producerName]).toEqual([9n, 'test']);
    expect(model.metadataProps.map(({ key, value }) => `${key}=${value}`)).toEqual(['a=1', 'b=2']);
  });

  it('constants are initialisers in place of inputs, if anything reads them', () => {
    const scale = trace('scale', { x: f32(BATCH, 2), by: f32(2), other: f32() }, ({ x, by }) => ({
      y: mul(x, by),
    }));
    const constants = { by: ndarray([2, 3], [2]), other: ndarray([1], []) };
    expect(lowered(scale, { constants })).toMatchInlineSnapshot(`
      "scale(x: float[B,2]) opset 17 {
        by = float[2] {2,3}
        y = Mul(x, by)
        return y: float[B,2]
      }"
    `);
    for (const [wrong, says] of [
      [{ by: ndarray([1], [1]) }, /constant by is float32\[1\], the graph's input is float32\[2\]/],
      [{ to: ndarray([1], [1]) }, /constant to is float32\[1\], the graph's input is one of x, by, other/],
    ] as const) {
      expect(() => toOnnx(scale, { constants: wrong })).toThrow(OptionError);
      expect(() => toOnnx(scale, { constants: wrong })).toThrow(says);
    }
  });

  it('labels are int64, or entries of a list', () => {
    const search = trace('search', { x: f32(BATCH, 3) }, ({ x }) => ({ place: argMax(x), label: argMax(x) }));
    expect(lowered(search, { labels: { place: 'int64', label: ['a', 'b', 'c'] } })).toMatchInlineSnapshot(`
      "search(x: float[B,3]) opset 17 {
        names_0 = string[3]
        ArgMax_0 = ArgMax(x) axis=1 keepdims=0
        Cast_0 = Cast(ArgMax_0) to=int32
        place = Cast(Cast_0) to=int64
        label = Gather(names_0, Cast_0) axis=0
        return place: int64[B], label: string[B]
      }"
    `);
    const listed = (label: readonly (string | number)[]): string =>
      lowered(search, { labels: { label } }).replace(/.*return/s, 'return');
    expect(listed([1, 2, 3])).toContain('label: int64[B]');
    expect(listed([1, 2, 0.5])).toContain('label: double[B]');
  });

  it.each([
    [{ opset: 15 }, /opset is 15; allowed is an integer from 16 to 21/],
    [{ opset: 22 }, /opset is 22/],
    [{ opset: 17.5 }, /opset is 17.5/],
    [{ topk: 'argMax' }, /there is no option topk; .* Did you mean topK\?/],
    [{ metadata: 'x' }, /metadata is 'x'; allowed is an object of texts/],
    [{ irVersion: 7 }, /irVersion is 7; allowed is an integer from 8 to 10/],
  ])('%o is an OptionError', (options, message) => {
    const lower = (): unknown => toOnnx(graph(), options as ToOnnxOptions);
    expect(lower).toThrow(OptionError);
    expect(lower).toThrow(message);
  });

  it('a malformed graph is a GraphError', () => {
    expect(() => toOnnx({ ...graph(), equations: [] })).toThrow(GraphError);
  });
});
