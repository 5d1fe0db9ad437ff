// The nodes in front of a graph make the very X and mask that core's `encodeTable` makes, of any encoding and any cells.

import type { Cell, ColumnEncoding, TableEncoding } from '@fkm/core';
import { BATCH, type Graph, trace } from '@fkm/core/graph';
import { encodeTable, Table, tableWidth } from '@fkm/core/internal';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { frontOf } from './columns.js';
import { answersOf, feedsOf, type Row } from './tables.fixture.js';
import { lowered } from './to-onnx.js';

const name = fc.oneof(
  fc.constantFrom('X', 'size', 'ä ö', 'constructor', 'toString', 'Cast_0', 'const_0', 'names_0'),
  fc.string({ minLength: 1, maxLength: 8, unit: 'grapheme' }).filter((text) => !text.startsWith('fkm.')),
);
/** Texts that are no blanks, and whose UTF-8 gives them back. */
const level = fc
  .string({ minLength: 1, maxLength: 6, unit: 'grapheme' })
  .filter((text) => text.trim() !== '');
const levels = fc.uniqueArray(level, { minLength: 1, maxLength: 20 });
const indicator = fc.boolean();
const sums = (count: number): fc.Arbitrary<string> =>
  fc
    .array(fc.double({ min: 0, max: 50, noNaN: true }), { minLength: count, maxLength: count })
    .map((values) => Buffer.from(Float64Array.from(values).buffer).toString('base64'));
/** The range of Date, and what lies near the ends of days, months and years. */
const ms = fc.oneof(
  fc.integer({ min: -8.64e15, max: 8.64e15 }),
  fc
    .tuple(
      fc.integer({ min: -3000, max: 3000 }),
      fc.integer({ min: 0, max: 11 }),
      fc.integer({ min: -1, max: 1 }),
    )
    .map(([year, month, more]) => new Date(0).setUTCFullYear(year, month, 1) + more),
  fc.constantFrom(0, -1, -8.64e15, 8.64e15, Date.UTC(2000, 1, 29), Date.UTC(1900, 1, 28, 23, 59, 59, 999)),
);

/** A column, and cells for it. */
interface Case {
  readonly encoding: ColumnEncoding;
  readonly cell: fc.Arbitrary<Cell>;
}
const said = { missing: 0.1, reason: 'a test says so' };
const texts = (known: readonly string[]): fc.Arbitrary<Cell> => fc.oneof(fc.constantFrom(...known), level);

const column = (called: string): fc.Arbitrary<Case> => {
  const base = { column: called, ...said };
  return fc.oneof(
    indicator.map(
      (indicator): Case => ({
        encoding: { ...base, kind: 'number', indicator },
        cell: fc.float({ noNaN: true, noDefaultInfinity: true }),
      }),
    ),
    fc
      .record({
        indicator,
        values: fc.uniqueArray(
          fc.float({ noNaN: true, noDefaultInfinity: true }).map((x) => x + 0),
          {
            minLength: 1,
            maxLength: 5,
          },
        ),
        outputs: fc.integer({ min: 0, max: 3 }),
      })
      .chain(({ indicator, values, outputs }) =>
        sums((values.length + 1) * 5 * (1 + outputs)).map(
          (sums): Case => ({
            encoding: {
              ...base,
              kind: 'number',
              indicator,
              values: { levels: values.map(String), outputs, sums },
            },
            cell: fc.oneof(fc.constantFrom(...values), fc.float({ noNaN: true, noDefaultInfinity: true })),
          }),
        ),
      ),
    indicator.map(
      (indicator): Case => ({
        encoding: { ...base, kind: 'boolean', indicator },
        cell: fc.boolean(),
      }),
    ),
    fc
      .record({
        parts: fc.subarray(['year', 'month', 'day', 'weekday', 'hour', 'days'] as const, { minLength: 1 }),
        origin: ms,
        indicator,
      })
      .map(
        (more): Case => ({
          encoding: { ...base, kind: 'date', ...more },
          cell: ms.map((at) => new Date(at)),
        }),
      ),
    fc.record({ order: levels, indicator }).map(
      (more): Case => ({
        encoding: { ...base, kind: 'ordered', ...more },
        cell: fc.constantFrom(...more.order),
      }),
    ),
    fc.record({ levels, indicator }).map(
      (more): Case => ({
        encoding: { ...base, kind: 'category', coding: 'oneHot', ...more },
        cell: texts(more.levels),
      }),
    ),
    fc.record({ levels, outputs: fc.integer({ min: 0, max: 3 }) }).chain((more) =>
      sums((more.levels.length + 1) * 5 * (1 + more.outputs)).map(
        (sums): Case => ({
          encoding: { ...base, kind: 'category', coding: 'statistics', ...more, sums },
          cell: texts(more.levels),
        }),
      ),
    ),
  );
};

const tables = fc
  .uniqueArray(name, { minLength: 1, maxLength: 5 })
  .chain((names) => fc.tuple(...names.map(column)))
  .chain((cases) => {
    const encoding: TableEncoding = { version: 2, tracked: [], columns: cases.map((each) => each.encoding) };
    const row = fc
      .tuple(
        ...cases.map(({ cell }) =>
          fc.oneof(
            { weight: 4, arbitrary: cell },
            { weight: 1, arbitrary: fc.constantFrom(null, undefined, Number.NaN, '', '  ') },
          ),
        ),
      )
      .map((cells): Row => Object.fromEntries(cells.map((cell, i) => [cases[i]?.encoding.column, cell])));
    return fc.tuple(fc.constant(encoding), fc.array(row, { minLength: 1, maxLength: 6 }));
  });

/** X and its mask as they come in. */
const asTheyCome = (width: number): Graph => {
  const spec = { shape: [BATCH, width], dtype: 'float32' } as const;
  return trace('table', { 'fkm.X': spec, 'fkm.mask': spec }, ({ 'fkm.X': x, 'fkm.mask': mask }) => ({
    'fkm.x': x,
    'fkm.m': mask,
  }));
};

it('X and mask are those of core, to the bit', async () => {
  await fc.assert(
    fc.asyncProperty(tables, async ([encoding, rows]) => {
      const front = frontOf(encoding, { x: 'fkm.X', mask: 'fkm.mask' });
      const bytes = lowered(asTheyCome(tableWidth(encoding)), {}, { front });
      const found = await answersOf(bytes, feedsOf(encoding, rows));
      const names = encoding.columns.map(({ column }) => column);
      const table = new Table(
        new Map(names.map((name) => [name, rows.map((row) => row[name])])),
        rows.length,
        false,
      );
      const { x, mask } = encodeTable(encoding, table, { call: 'test', missing: 'mask', training: false });
      // −0 is 0.
      const bare = (values: ArrayLike<unknown> | undefined): number[] =>
        Array.from(values ?? [], (v) => (v as number) + 0);
      expect(bare(found['fkm.x']?.data)).toEqual(bare(x.data));
      expect(bare(found['fkm.m']?.data)).toEqual(bare(mask?.data ?? new Array(x.data.length).fill(1)));
    }),
    { numRuns: 150 },
  );
});
