// Files that somebody made to do harm: a FormatError or a model that predicts, in memory of a few times the file, whatever they claim.

import { describe, expect, it } from 'vitest';
import { isFkmError } from '../errors.js';
import {
  answers,
  estimators,
  expectError,
  givenOf,
  type Model,
  rows,
  smallOf,
  tasks,
  withDigests,
  withoutDigests,
} from '../estimators/testing.js';
import { Random } from '../random.js';
import type { Task } from '../state/options.js';

const { X } = rows(30);

/** A checkpoint, to be rewritten. */
interface Parts {
  metadata: Record<string, unknown>;
  tensors: Record<string, { dtype: unknown; shape: unknown; data_offsets: unknown }>;
  body: Uint8Array;
}

function partsOf(bytes: Uint8Array): Parts {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const { __metadata__: metadata, ...tensors } = header;
  return { metadata, tensors, body: bytes.slice(8 + length) };
}

function fileOf(json: string, body: Uint8Array = new Uint8Array(0), claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(json);
  const out = new Uint8Array(8 + text.length + body.length);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  out.set(text, 8);
  out.set(body, 8 + text.length);
  return out;
}

const jsonOf = ({ metadata, tensors }: Parts): string =>
  JSON.stringify({ __metadata__: metadata, ...tensors });

/** The file after a change of its parts. */
function changed(bytes: Uint8Array, change: (parts: Parts) => void): Uint8Array {
  const parts = partsOf(bytes);
  change(parts);
  return fileOf(jsonOf(parts), parts.body);
}

/** A change of the options or of the counters, which are JSON within JSON. */
const inText =
  (name: 'options' | 'state', key: string, json: string | undefined) =>
  ({ metadata }: Parts): void => {
    const all = JSON.parse(metadata[name] as string);
    delete all[key];
    const rest = JSON.stringify(all).slice(1, -1);
    const own = json === undefined ? [] : [`${JSON.stringify(key)}:${json}`];
    metadata[name] = `{${[rest, ...own].filter(Boolean).join()}}`;
  };

/** A model with every array that there is in one of the task. */
async function full(task: Task): Promise<Model> {
  const y = estimators[task].targets(X);
  const linear = task === 'regressor' ? { prototypeModel: 'linear', dtype: 'bfloat16' } : {};
  const model = smallOf(task, { autoFeatureWeights: true, ...linear });
  await model.fitBatch(X, y, { featureMask: [1, 1, 1] });
  await model.fitBatch(X, y, { gradientStep: true });
  await model.finetune(X, y, { epochs: 1, evalFraction: 0.3 });
  await model.fitBatch(X, y, { gradientStep: true });
  return model;
}

/** A FormatError, or a model that answers a row with numbers or labels, and learns or says why not. */
async function survives(task: Task, bytes: Uint8Array, what: string, columns = 3): Promise<boolean> {
  try {
    const model = await estimators[task].load(bytes);
    const some = X.slice(0, 3).map((x) => x.slice(0, columns));
    expect((await answers(model, some)).length % 3).toBe(0);
    await model
      .fitBatch(
        X.map((x) => x.slice(0, columns)),
        estimators[task].targets(X),
      )
      .catch((error) => {
        if (!isFkmError(error)) throw error;
      });
    return true;
  } catch (error) {
    // Rows of another width, and an index that was not passed, are what a sound file can ask for.
    const sound = /X has 3 columns|useIndex is true in the checkpoint/;
    if (isFkmError(error) && (error.kind === 'format' || sound.test(error.message))) return false;
    throw new Error(`${task}: ${what}: ${(error as Error).stack}`);
  }
}

/** What no counter, option or field of a tensor should be. */
const nonsense = [
  undefined,
  'null',
  'true',
  '-1',
  '-0',
  '0',
  '1.5',
  '1e999',
  '9007199254740991',
  '4294967296',
  '""',
  '"x"',
  '"Infinity"',
  '[]',
  '[null]',
  '[[[]]]',
  '[1e999]',
  '["a","a"]',
  '[0,"a"]',
  '{}',
  '{"toString":1,"valueOf":1}',
  '{"__proto__":{}}',
  '{"length":9e15}',
] as const;

describe.each(tasks)('%s: no file with false contents does harm', (task) => {
  it.each(['options', 'state'] as const)('about %s', async (name) => {
    const bytes = withoutDigests(await (await full(task)).save());
    const keys = Object.keys(JSON.parse(partsOf(bytes).metadata[name] as string));
    let models = 0;
    for (const key of [...keys, '__proto__', 'constructor', 'toString', 'initModeOwners']) {
      for (const json of nonsense) {
        const file = changed(bytes, inText(name, key, json));
        models += Number(await survives(task, file, `${name}.${key} is ${json}`));
      }
    }
    expect(models).toBeGreaterThan(10);
  });

  it('about tensors', async () => {
    const bytes = withoutDigests(await (await full(task)).save());
    for (const [name, { dtype, shape, data_offsets: place }] of Object.entries(partsOf(bytes).tensors)) {
      const sizes = shape as number[];
      const shapes = [
        ...nonsense,
        ...[
          [...sizes, 1],
          [...sizes].reverse(),
          [2 ** 32, 2 ** 32],
          [2 ** 53],
          [2 ** 52, 0],
          [0, 2 ** 52],
          [-1, -1],
        ].map((s) => JSON.stringify(s)),
      ];
      const [begin, end] = place as [number, number];
      const places = [
        ...nonsense,
        ...[
          [end, begin],
          [begin],
          [begin - 8, end - 8],
          [begin + 1, end + 1],
          [-8, end],
          [begin, 2 ** 53],
          [begin, end, 0],
          [0, end],
        ].map((p) => JSON.stringify(p)),
      ];
      const put = (field: string, json: string | undefined): Promise<boolean> =>
        survives(
          task,
          changed(bytes, ({ tensors }) => {
            const entry = tensors[name] as Record<string, unknown>;
            if (json === undefined) delete entry[field];
            else entry[field] = JSON.parse(json);
          }),
          `${name}.${field} is ${json}`,
        );
      for (const json of shapes) await put('shape', json);
      for (const json of places) await put('data_offsets', json);
      for (const json of [
        ...nonsense,
        '"F64"',
        '"F32"',
        '"F16"',
        '"BF16"',
        '"I32"',
        '"BOOL"',
        '"I64"',
        '"U8"',
      ])
        await put('dtype', json);
      for (const other of [
        '__proto__',
        'constructor',
        `state.${name}`,
        `adam.m.${name}`,
        `master.${name}`,
        `initMode.${name}`,
        'initMode.prototypes',
        '',
      ]) {
        const file = changed(bytes, ({ tensors }) => {
          const json = JSON.stringify(tensors[name]);
          delete tensors[name];
          Object.defineProperty(tensors, other, { value: JSON.parse(json), enumerable: true });
        });
        await survives(task, file, `${name} is called ${other}`);
      }
      // Without it, and without its bytes.
      const shift = (at: number): number => (at >= end ? at - (end - begin) : at);
      const without = changed(bytes, (parts) => {
        delete parts.tensors[name];
        for (const entry of Object.values(parts.tensors)) {
          entry.data_offsets = (entry.data_offsets as number[]).map(shift);
        }
        const left = [...parts.body.subarray(0, begin), ...parts.body.subarray(end)];
        parts.body = Uint8Array.from(left);
      });
      await survives(task, without, `there is no ${name} ${dtype}`);
    }
  });

  it('with numbers of any size', async () => {
    const bytes = withoutDigests(await (await full(task)).save());
    const { body, ...rest } = partsOf(bytes);
    const random = new Random(5);
    for (const [name, { dtype, data_offsets: place }] of Object.entries(rest.tensors)) {
      const [begin, end] = place as [number, number];
      for (const value of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0, 1e30, 2 ** 31 - 1]) {
        const copy = body.slice();
        const view = new DataView(copy.buffer);
        for (let at = begin; at < end; at += 8) {
          if (dtype === 'F64') view.setFloat64(at, value, true);
          else if (dtype === 'F32') view.setFloat32(at, value, true);
          else if (dtype === 'I32') view.setInt32(at, value, true);
          else copy.fill(random.below(256), at, Math.min(end, at + 8));
        }
        await survives(task, fileOf(jsonOf({ ...rest, body }), copy), `${name} is ${value}`);
      }
    }
  });

  it('nor with a false given grid', async () => {
    const bytes = withoutDigests(await givenOf(task).save());
    const { tensors } = partsOf(bytes);
    for (const name of Object.keys(tensors)) {
      for (const dtype of ['F64', 'F32', 'F16', 'BF16', 'I32', 'BOOL']) {
        const width = { F64: 8, F32: 4, F16: 2, BF16: 2, I32: 4, BOOL: 1 }[dtype] as number;
        const change = ({ tensors: all }: Parts): void => {
          const entry = all[name] as { data_offsets: [number, number] };
          const [begin, end] = entry.data_offsets;
          Object.assign(entry, { dtype, shape: [(end - begin) / width] });
        };
        await survives(task, changed(bytes, change), `${name} of ${dtype}`, 2);
      }
    }
    for (const json of nonsense) {
      await survives(task, changed(bytes, inText('options', 'initModeOwners', json)), `owners ${json}`, 2);
    }
  });
});

describe('a file', () => {
  const load = estimators.regressor.load;
  const refused = (bytes: Uint8Array, says: string): Promise<void> =>
    expectError(() => load(bytes), { kind: 'format', says: ['load:', says] });
  const bytesOf = async (): Promise<Uint8Array> => withoutDigests(await (await full('regressor')).save());

  it.each([1n << 63n, (1n << 64n) - 1n, 1n << 53n, 1n << 32n, 1n << 26n])(
    'whose header claims %s bytes',
    async (claimed) => {
      const { body, ...rest } = partsOf(await bytesOf());
      await refused(fileOf(jsonOf({ ...rest, body }), body, claimed), `the header claims`);
    },
  );

  it('whose tensors share bytes, or leave some out', async () => {
    const bytes = await bytesOf();
    const at = (name: string, begin: number, end: number) =>
      changed(bytes, ({ tensors }) => {
        (tensors[name] as { data_offsets: unknown }).data_offsets = [begin, end];
      });
    const { tensors } = partsOf(bytes);
    const [bias, width] = (tensors['adam.m.bias'] as { data_offsets: [number, number] }).data_offsets;
    const [other, end] = (tensors['adam.v.bias'] as { data_offsets: [number, number] }).data_offsets;
    expect(end - other).toBe(width - bias);
    await refused(at('adam.m.bias', other, end), `begins at`);
    await refused(at('adam.v.bias', bias, width), `begins at`);
  });

  it.each<[string, object, string]>([
    ['metadata that is nested', { version: [[['1.0']]] }, 'the metadata version is no text'],
    ['metadata that cannot be shown', { kind: { toString: 1, valueOf: 1 } }, 'the metadata kind is no text'],
    ['no options', { options: undefined }, 'no text of the options'],
    ['no state', { state: undefined }, 'no text of the state'],
    ['a version that is none', { version: '1' }, 'has version 1,'],
    ['a version that only begins as one', { version: '1.0.evil' }, 'has version 1.0.evil'],
  ])('with %s', async (_what, wrong, says) => {
    await refused(
      changed(await bytesOf(), ({ metadata }) => Object.assign(metadata, wrong)),
      says,
    );
  });

  it.each([[], 5])('with metadata that is %j', async (metadata) => {
    const bytes = changed(await bytesOf(), (parts) => Object.assign(parts, { metadata }));
    await refused(bytes, 'not written by fkm');
  });

  it('is refused if one of many labels owns all prototypes, since the member table would be too large', async () => {
    const { make, load: open } = estimators.multiLabel;
    const count = 2100;
    const model = make({
      softType: 'hard',
      initMode: {
        prototypes: Array.from({ length: count }, (_, k) => [k]),
        owners: new Array<string>(count).fill('0'),
      },
    });
    await model.fitBatch([[1]], [['0']]);
    const names = Array.from({ length: count }, (_, c) => `${c}`);
    const bytes = changed(withoutDigests(await model.save()), (parts) => {
      inText('state', 'classes', JSON.stringify(names))(parts);
      inText('state', 'outputs', `${count}`)(parts);
    });
    await expectError(() => open(bytes), {
      kind: 'format',
      says: ['load: 2100 prototypes of one label', '4410000 cells, 4194304 are the most'],
    });
  });

  it('of a newer minor version is read, unless it holds what is new', async () => {
    const bytes = changed(await bytesOf(), ({ metadata }) => {
      metadata.version = '1.7';
    });
    expect((await answers(await load(withDigests(bytes)), X)).every(Number.isFinite)).toBe(true);
    await refused(bytes, 'its metadata has no digests');
    const says = 'the checkpoint has version 1.7, this package 1.1: update @fkm/core.';
    await refused(withDigests(changed(bytes, inText('options', 'sharpness', '1'))), says);
    const more = changed(bytes, ({ tensors }) => {
      tensors.memory = { dtype: 'F32', shape: [0], data_offsets: [0, 0] };
    });
    await refused(withDigests(more), says);
  });
});

describe('memory', () => {
  const megabyte = 2 ** 20;
  /** How much higher the memory of this process has ever been after a call than before it. */
  async function peak(call: () => Promise<unknown>): Promise<number> {
    const before = process.resourceUsage().maxRSS;
    await call();
    return (process.resourceUsage().maxRSS - before) * 1024;
  }

  it.each<[string, (size: number) => Uint8Array]>([
    ['a header of brackets', (size) => fileOf('['.repeat(size))],
    ['a header of objects', (size) => fileOf(`[${'{},'.repeat(size / 3)}{}]`)],
    ['a header of keys', (size) => fileOf(`{${Array.from({ length: size / 12 }, (_, i) => `"${i}":0`)}}`)],
    [
      'options of brackets',
      (size) =>
        fileOf(
          JSON.stringify({
            __metadata__: { format: 'fkm', version: '1.0', kind: 'regressor', options: '['.repeat(size) },
          }),
        ),
    ],
    [
      '300 tensors that all are the whole body',
      (size) => {
        const entry = { dtype: 'F32', shape: [size / 4], data_offsets: [0, size] };
        const metadata = { format: 'fkm', version: '1.0', kind: 'regressor', options: '{}', state: 'null' };
        const names = Array.from({ length: 300 }, (_, i) => [`t${i}`, entry]);
        return fileOf(
          JSON.stringify({ __metadata__: metadata, ...Object.fromEntries(names) }),
          new Uint8Array(size),
        );
      },
    ],
  ])('of a load stays within a few times the file: %s', async (_what, make) => {
    const file = make(12 * megabyte);
    const used = await peak(() =>
      expectError(() => estimators.regressor.load(file), { kind: 'format', says: ['load:'] }),
    );
    expect(used).toBeLessThan(6 * file.length);
  });
});
