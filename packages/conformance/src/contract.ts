// Checks what the contract promises besides numbers: caching, errors, ownership of memory, concurrency.

import {
  BATCH,
  type Backend,
  constantLike,
  div,
  type Executable,
  evaluateGraph,
  exp,
  type Graph,
  GraphError,
  matmul,
  mul,
  type NdArray,
  ndarray,
  neg,
  simplify,
  sub,
  sum,
  trace,
  type Value,
} from '@fkm/core/graph';
import { expect } from 'vitest';
import { expectValue, type Precision } from './compare.js';
import {
  bytesOf,
  expectOutputs,
  f32,
  failure,
  layer,
  layerInputs,
  negate,
  random,
  readAll,
  upload,
} from './contract-graphs.js';

/** A check that every backend has to pass. */
export interface Check {
  /** The title, and the key by which known gaps refer to the check. */
  readonly key: string;
  /**
   * Whether suites with `thorough: false` skip this check: others check the same kernels, and this one adds settings, or depends
   * on the host.
   */
  readonly thorough?: boolean;
  /** `make` creates another backend of the same kind, which the check disposes of. */
  readonly run: (backend: Backend, precision: Precision, make: () => Promise<Backend>) => Promise<void>;
}

const caching: readonly Check[] = [
  {
    key: 'the same graph, traced twice, is one executable',
    run: async (backend) => {
      const first = await backend.compile(layer());
      expect(await backend.compile(layer())).toBe(first);
      expect(await backend.compile(negate())).not.toBe(first);
    },
  },
  {
    key: 'compiling one graph twice at the same time gives one executable',
    run: async (backend) => {
      const graph = (): Graph => trace('together', { x: f32(BATCH) }, ({ x }) => ({ y: exp(neg(x)) }));
      const [first, second] = await Promise.all([backend.compile(graph()), backend.compile(graph())]);
      expect(second).toBe(first);
    },
  },
  {
    key: 'graphs that differ in one number of a constant are two executables',
    run: async (backend, precision) => {
      const large = Array.from({ length: 200 }, (_, i) => i);
      const scaled = (values: number[]): Graph =>
        trace('scaled', { x: f32(BATCH, 1) }, ({ x }) => ({
          y: mul(x, constantLike(x, ndarray(values, [200]))),
        }));
      const divided = (by: number): Graph =>
        trace('divided', { x: f32(BATCH, 1) }, ({ x }) => ({ y: div(x, by) }));
      const inputs = [random('constants', 3, 1)];
      for (const graph of [
        scaled(large),
        scaled(large.map((x) => (x === 137 ? 138 : x))),
        divided(0),
        divided(-0),
      ]) {
        const executable = await backend.compile(graph);
        await expectOutputs(backend, graph, inputs, await executable.run(upload(backend, inputs)), precision);
      }
    },
  },
  {
    key: 'a graph compiles again after its executable is disposed of',
    run: async (backend, precision) => {
      const graph = trace('again', { x: f32(BATCH, 2) }, ({ x }) => ({ y: sub(x, 1) }));
      const inputs = [random('again', 3, 2)];
      for (let i = 0; i < 2; i++) {
        const executable = await backend.compile(graph);
        await expectOutputs(backend, graph, inputs, await executable.run(upload(backend, inputs)), precision);
        executable.dispose();
      }
    },
  },
];

const errors: readonly Check[] = [
  ...(
    [
      ['shape', [ndarray([1, 2, 3, 4], [2, 2]), random('w', 3, 4)], 'features'],
      ['rank', [ndarray([1, 2, 3], [3]), random('w', 3, 4)], 'features'],
      ['dtype', [random('x', 2, 3), ndarray(new Array<number>(12).fill(1), [3, 4], 'int32')], 'weights'],
    ] as const
  ).map(
    ([what, arrays, name]): Check => ({
      key: `run refuses a wrong ${what} and names the input`,
      run: async (backend) => {
        const executable = await backend.compile(layer());
        expect((await failure(executable.run(upload(backend, arrays)))).message).toContain(name);
      },
    }),
  ),
  {
    key: 'run refuses a wrong number of inputs',
    run: async (backend) => {
      const executable = await backend.compile(layer());
      const [features] = upload(backend, layerInputs(2)) as [Value];
      expect((await failure(executable.run([features]))).message).toContain('2');
      await failure(executable.run([features, features, features]));
    },
  },
  {
    key: 'run refuses two numbers of rows and names the second input',
    run: async (backend) => {
      const graph = trace('rows', { first: f32(BATCH, 2), second: f32(BATCH, 2) }, ({ first, second }) => ({
        y: sub(first, second),
      }));
      const executable = await backend.compile(graph);
      const values = upload(backend, [random('first', 3, 2), random('second', 4, 2)]);
      expect((await failure(executable.run(values))).message).toContain('second');
    },
  },
  {
    key: 'an executable works after a refused run',
    run: async (backend, precision) => {
      const executable = await backend.compile(layer());
      await failure(executable.run([]));
      const inputs = layerInputs(3);
      await expectOutputs(backend, layer(), inputs, await executable.run(upload(backend, inputs)), precision);
    },
  },
  {
    key: 'compile refuses a malformed graph',
    run: async (backend) => {
      const graph = layer();
      const error = await failure(backend.compile({ ...graph, equations: graph.equations.slice(1) }));
      expect(error).toBeInstanceOf(GraphError);
    },
  },
];

const memory: readonly Check[] = [
  {
    key: 'a run leaves its inputs as they were',
    run: async (backend) => {
      const arrays = layerInputs(5);
      const before = arrays.map(({ data }) => bytesOf(data));
      const values = upload(backend, arrays);
      await (await backend.compile(layer())).run(values);
      expect((await readAll(values)).map((data) => Array.from(data))).toEqual(
        arrays.map(({ data }) => Array.from(data)),
      );
      expect(arrays.map(({ data }) => bytesOf(data))).toEqual(before);
    },
  },
  {
    key: 'read gives a copy each time',
    run: async (backend) => {
      const array = random('copy', 3, 4);
      const [input] = upload(backend, [array]) as [Value];
      const [output] = (await (await backend.compile(negate())).run([input])) as [Value];
      for (const value of [input, output]) {
        const first = await value.read();
        const kept = Array.from(first);
        first.fill(77);
        expect(Array.from(await value.read())).toEqual(kept);
      }
      expect(Array.from(array.data)).not.toContain(77);
    },
  },
  {
    key: 'an array that is a view of a larger buffer uploads what it shows',
    run: async (backend) => {
      const data = Float32Array.from({ length: 20 }, (_, i) => i).subarray(3, 11);
      const [value] = upload(backend, [{ data, shape: [2, 4], dtype: 'float32' }]) as [Value];
      const [output] = (await (await backend.compile(negate())).run([value])) as [Value];
      expect(Array.from(await output.read())).toEqual([-3, -4, -5, -6, -7, -8, -9, -10]);
    },
  },
  {
    key: 'outputs outlive their inputs, and dispose may be called twice',
    run: async (backend) => {
      const executable = await backend.compile(negate());
      const values = upload(backend, [random('outlive', 2, 4)]);
      const [output] = (await executable.run(values)) as [Value];
      for (const value of [...values, ...values]) value.dispose();
      expect(await output.read()).toHaveLength(8);
      output.dispose();
      output.dispose();
      executable.dispose();
      executable.dispose();
    },
  },
  {
    key: 'disposing of a backend twice is fine and leaves others alone',
    run: async (backend, precision, make) => {
      const other = await make();
      const inputs = layerInputs(2);
      await (await other.compile(layer())).run(upload(other, inputs));
      await other.dispose();
      await other.dispose();
      const executable = await backend.compile(layer());
      await expectOutputs(backend, layer(), inputs, await executable.run(upload(backend, inputs)), precision);
    },
  },
  {
    key: 'an output can be an input, one variable can be two outputs, an input can be unused',
    run: async (backend, precision) => {
      const graph = trace('ports', { x: f32(BATCH, 2), unused: f32(3), y: f32(BATCH) }, ({ x, y }) => {
        const z = neg(x);
        return { same: x, z, again: z, y, constant: constantLike(x, ndarray([1, 2, 3], [3])) };
      });
      const inputs = [random('x', 3, 2), random('unused', 3), random('y', 3)];
      const executable = await backend.compile(graph);
      const values = upload(backend, inputs);
      const outputs = await executable.run(values);
      await expectOutputs(backend, graph, inputs, outputs, precision);
      // Each output is independent of the input and of the output that it repeats.
      (outputs[0] as Value).dispose();
      (outputs[1] as Value).dispose();
      const rest = await executable.run(values);
      await expectOutputs(backend, graph, inputs, rest, precision);
      expect(Array.from(await (outputs[2] as Value).read())).toEqual(
        Array.from(await (rest[2] as Value).read()),
      );
    },
  },
  {
    key: 'what is taken is what would be read, belongs to the one who took it, and is gone',
    run: async (backend) => {
      const graph = trace('taken', { x: f32(BATCH, 2) }, ({ x }) => {
        const z = neg(x);
        return { same: x, z, again: z, constant: constantLike(x, ndarray([1, 2, 3], [3])) };
      });
      const executable = await backend.compile(graph);
      const array = random('taken', 3, 2);
      const values = upload(backend, [array]);
      const first = await executable.run(values);
      const wanted = await readAll(first);
      const given = await readAll(values);
      for (const [i, value] of first.entries()) {
        const taken = await (value.take?.() ?? value.read());
        value.dispose();
        expect(taken).toEqual(wanted[i]);
        taken.fill(77);
        await failure(value.read());
      }
      expect(await readAll(values)).toEqual(given);
      expect(await readAll(await executable.run(values))).toEqual(wanted);
      const [uploaded] = values as [Value];
      (await (uploaded.take?.() ?? uploaded.read())).fill(77);
      expect(Array.from(array.data)).not.toContain(77);
    },
  },
  {
    key: 'one value can be two inputs',
    run: async (backend, precision) => {
      const graph = trace('twice', { x: f32(BATCH, 3), y: f32(BATCH, 3) }, ({ x, y }) => ({
        product: mul(x, y),
      }));
      const array = random('twice', 4, 3);
      const [value] = upload(backend, [array]) as [Value];
      const outputs = await (await backend.compile(graph)).run([value, value]);
      await expectOutputs(backend, graph, [array, array], outputs, precision);
    },
  },
];

const running: readonly Check[] = [
  {
    key: 'outputs of one graph are inputs of another',
    run: async (backend, precision) => {
      const inputs = layerInputs(6);
      const outputs = await (await backend.compile(layer())).run(upload(backend, inputs));
      const results = await (await backend.compile(negate())).run([outputs[0] as Value]);
      const wanted = evaluateGraph(layer(), inputs, 'float64');
      await expectOutputs(backend, negate(), [wanted[0] as NdArray], results, precision);
    },
  },
  {
    key: 'one executable runs batches of any size',
    run: async (backend, precision) => {
      const executable = await backend.compile(layer());
      for (const rows of [5, 1, 0, 64, 1000, 5]) {
        const inputs = layerInputs(rows);
        await expectOutputs(
          backend,
          layer(),
          inputs,
          await executable.run(upload(backend, inputs)),
          precision,
        );
      }
    },
  },
  {
    key: 'concurrent runs do not disturb each other',
    run: async (backend, precision) => {
      const [first, second] = await Promise.all([backend.compile(layer()), backend.compile(negate())]);
      const jobs: [Graph, Executable, NdArray[]][] = [1, 7, 30, 2].flatMap((rows) => [
        [layer(), first, layerInputs(rows)],
        [negate(), second, [random(`negate ${rows}`, rows, 4)]],
      ]);
      const results = await Promise.all(
        jobs.map(([, executable, inputs]) => executable.run(upload(backend, inputs))),
      );
      for (const [i, [graph, , inputs]] of jobs.entries()) {
        await expectOutputs(backend, graph, inputs, results[i] as Value[], precision);
      }
    },
  },
  {
    key: 'the same inputs give the same bits',
    run: async (backend) => {
      const graph = trace('bits', { x: f32(BATCH, 3), w: f32(3, 97) }, ({ x, w }) => {
        const powers = exp(matmul(x, w));
        return { powers, total: sum(powers) };
      });
      const values = upload(backend, [random('bits', 50, 3), random('bits w', 3, 97)]);
      const executable = await backend.compile(graph);
      const [first, second] = [await executable.run(values), await executable.run(values)];
      expect((await readAll(first)).map(bytesOf)).toEqual((await readAll(second)).map(bytesOf));
    },
  },
  {
    key: 'twenty steps that feed their outputs back arrive where the reference does',
    run: async (backend, precision) => {
      // Descent on ½ |x w − y|², in the form of every training loop here.
      const step = simplify(
        trace('step', { w: f32(3, 1), x: f32(BATCH, 3), y: f32(BATCH, 1) }, ({ w, x, y }) => {
          const residual = sub(matmul(x, w), y);
          return {
            w: sub(w, mul(matmul(x, residual, { transposeA: true }), 0.05)),
            loss: sum(mul(residual, residual)),
          };
        }),
      );
      const data = [random('step x', 12, 3), random('step y', 12, 1)];
      const executable = await backend.compile(step);
      const batch = upload(backend, data);
      let weights = backend.upload(ndarray([0, 0, 0], [3, 1]));
      let wanted: NdArray = ndarray([0, 0, 0], [3, 1]);
      for (let i = 0; i < 20; i++) {
        const [next, loss] = (await executable.run([weights, ...batch])) as [Value, Value];
        weights.dispose();
        loss.dispose();
        weights = next;
        wanted = evaluateGraph(step, [wanted, ...data], 'float64')[0] as NdArray;
      }
      await expectValue(backend, weights, wanted, step.outputs[0] as Graph['outputs'][0], {
        precision,
        scale: 20,
      });
    },
  },
  {
    key: 'flags say what is true of every backend',
    run: async ({ name, flags }) => {
      expect(name).toBeTruthy();
      expect(flags.dtypes).toEqual(expect.arrayContaining(['float32', 'int32', 'bool']));
      expect(new Set(flags.dtypes).size).toBe(flags.dtypes.length);
    },
  },
];

/** The promises of the contract. */
export const contract: readonly Check[] = [...caching, ...errors, ...memory, ...running];
