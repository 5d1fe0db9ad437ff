// The columns of a table as inputs of a file: nodes that make X [B, D] of them, as core's `encodeTable` does. What is missing is NaN in
// X, and what a model cannot read is Infinity, which leaves the row without an answer.

import type { ColumnEncoding, TableEncoding } from '@fkm/core';
import { OptionError, shown } from '@fkm/core/graph';
import { columnWidth, encodeTable, statisticsIn, statisticsOf, Table } from '@fkm/core/internal';
import { dateParts, farthest } from './civil.js';
import { prefix } from './export-options.js';
import { TensorProto_DataType } from './generated/onnx_pb.js';
import type { Front, ValueSpec } from './to-onnx.js';
import { type GraphWriter, mlDomain } from './writer.js';

type Used = Exclude<ColumnEncoding, { kind: 'ignore' }>;
type Lookup = Extract<Used, { kind: 'ordered' | 'category' }>;
type Dates = Extract<Used, { kind: 'date' }>;

/** Stands for a missing date: numpy's NaT. */
const noDate = -(2 ** 63);

/** √½, as core writes an indicator. */
const half = Math.SQRT1_2;

/** Spaces at most of a text that counts as missing: core takes any number of blanks for none. */
const mostBlanks = 16;

/** Version of ai.onnx.ml that has LabelEncoder from texts to int64, and that IR version 8 has. */
const mlOpset = 2;

const isUsed = (column: ColumnEncoding): column is Used => column.kind !== 'ignore';
const isLookup = (column: Used): column is Lookup => column.kind === 'ordered' || column.kind === 'category';

const levelsOf = (column: Lookup): readonly string[] =>
  column.kind === 'ordered' ? column.order : column.levels;

function notesOf(column: Used): { readonly type: TensorProto_DataType; readonly doc: string } {
  const { FLOAT, INT64, STRING } = TensorProto_DataType;
  switch (column.kind) {
    case 'number':
      return { type: FLOAT, doc: 'A number; NaN is missing.' };
    case 'boolean':
      return { type: FLOAT, doc: '1 is true, 0 is false, NaN is missing.' };
    case 'date':
      return { type: INT64, doc: 'Milliseconds since 1970 in UTC; -2^63 is missing.' };
    case 'ordered':
    case 'category':
      return {
        type: STRING,
        doc: `A text; '' is missing. ${levelsOf(column).length} levels: ${listed(column)}.`,
      };
  }
}

/** Levels that a note shows. */
const mostShown = 20;
const listed = (column: Lookup): string => {
  const levels = levelsOf(column);
  return `${levels.slice(0, mostShown).map(shown).join(', ')}${levels.length > mostShown ? ' …' : ''}`;
};

/** What encodes the columns of a table. `makes`: the names of X and, where values may be missing, of its mask. Errors: OptionError. */
export function frontOf(
  { columns }: TableEncoding,
  makes: { readonly x: string; readonly mask?: string | undefined },
): Front {
  const used = columns.filter(isUsed).filter((column) => columnWidth(column) > 0);
  for (const { column } of used) checkName(column);
  return {
    inputs: used.map((column): ValueSpec => ({ name: column.column, shape: [-1, 1], ...notesOf(column) })),
    makes: [makes.x, ...(makes.mask === undefined ? [] : [makes.mask])],
    mlOpset: used.some((column) => isLookup(column) || statisticsIn(column)) ? mlOpset : undefined,
    write(writer) {
      const parts = used.map((column) => encoded(writer, column, makes.mask === undefined));
      writer.node('Concat', parts, { axis: 1 }, makes.x, {
        docString: 'The columns as numbers; NaN is missing.',
      });
      if (makes.mask === undefined) return;
      const present = writer.node('Not', [writer.node('IsNaN', [makes.x])]);
      writer.node('Cast', [present], { to: TensorProto_DataType.FLOAT }, makes.mask, {
        docString: '1 present, 0 missing.',
      });
    },
  };
}

/** Errors: OptionError for a name that ONNX or this file has no place for. */
function checkName(column: string): void {
  if (column !== '' && !column.startsWith(prefix)) return;
  const why =
    column === '' ? 'ONNX has no inputs without a name' : `names that begin with '${prefix}' are taken`;
  throw new OptionError(
    `exportOnnx: inputs is 'columns', and a column is called ${shown(column)}; ${why}: rename the column, or set inputs to 'matrix'.`,
    { option: 'inputs', column },
    'onnx',
  );
}

/** The columns of X [B, W] that a column becomes. */
function encoded(writer: GraphWriter, column: Used, refusing: boolean): string {
  switch (column.kind) {
    case 'number':
      return withValues(writer, column, withIndicator(writer, column, column.column));
    case 'boolean':
      return withIndicator(writer, column, truth(writer, column.column));
    case 'date':
      return date(writer, column);
    case 'ordered':
    case 'category':
      return lookup(writer, column, refusing);
  }
}

const float = (writer: GraphWriter, value: number): string =>
  writer.constant({ data: Float32Array.of(value), shape: [], dtype: 'float32' });

/** 0, 1 and NaN as they are, others as Infinity. */
function truth(writer: GraphWriter, name: string): string {
  const isTruth = writer.node('Or', [
    writer.node('Equal', [name, float(writer, 0)]),
    writer.node('Equal', [name, float(writer, 1)]),
  ]);
  const known = writer.node('Or', [isTruth, writer.node('IsNaN', [name])]);
  return writer.node(
    'Where',
    [known, name, float(writer, Number.POSITIVE_INFINITY)],
    {},
    writer.named(`${name} truth`),
  );
}

function withIndicator(
  writer: GraphWriter,
  { column, indicator }: { readonly column: string; readonly indicator: boolean },
  value: string,
): string {
  if (!indicator) return value;
  const flag = flagOf(writer, column, writer.node('IsNaN', [value]));
  return writer.node('Concat', [value, flag], { axis: 1 }, writer.named(`${column} encoded`));
}

/** The statistics of a number's value beside it. */
function withValues(writer: GraphWriter, column: Extract<Used, { kind: 'number' }>, value: string): string {
  const { column: name, values } = column;
  if (!values) return value;
  const { levels, outputs } = values;
  const known = writer.node(
    'LabelEncoder',
    [name],
    {
      keys_floats: Float32Array.from(levels, Number),
      values_int64s: [...levels.keys()],
      default_int64: levels.length + 1,
    },
    writer.named(`${name} value`),
    {
      domain: mlDomain,
      docString: `The place of ${name} among its values; ${levels.length + 1} is any other.`,
    },
  );
  const missing = writer.node('IsNaN', [name]);
  const place = writer.node('Where', [missing, writer.int64(levels.length), known]);
  const table = writer.constant(
    { data: statisticsOf(values).all, shape: [levels.length + 2, outputs + 1], dtype: 'float32' },
    writer.named(`${name} statistics`),
  );
  const told = writer.node('GatherND', [table, place]);
  return writer.node('Concat', [value, told], { axis: 1 }, writer.named(`${name} with statistics`));
}

const flagOf = (writer: GraphWriter, column: string, missing: string): string =>
  writer.node(
    'Where',
    [missing, float(writer, half), float(writer, 0)],
    {},
    writer.named(`${column} missing`),
  );

function date(writer: GraphWriter, { column, parts, origin, indicator }: Dates): string {
  const missing = writer.node('Equal', [column, writer.int64(noDate)]);
  const before = writer.node('Less', [column, writer.int64(-farthest)]);
  const outside = writer.node('Or', [before, writer.node('Greater', [column, writer.int64(farthest)])]);
  const ms = writer.node('Where', [outside, writer.int64(0), column]);
  // Added to every part: 0, or what stands for no date.
  const wrong = writer.node('Where', [outside, float(writer, Number.POSITIVE_INFINITY), float(writer, 0)]);
  const state = writer.node('Where', [missing, float(writer, Number.NaN), wrong]);
  const values = writer.node('Concat', dateParts(writer, column, ms, parts, origin), { axis: 1 });
  const dated = writer.node('Add', [values, state], {}, writer.named(`${column} parts`));
  if (!indicator) return dated;
  return writer.node(
    'Concat',
    [dated, flagOf(writer, column, missing)],
    { axis: 1 },
    writer.named(`${column} encoded`),
  );
}

/** A text as its row of a table: one mechanism for one-hot, statistics and orders. */
function lookup(writer: GraphWriter, column: Lookup, refusing: boolean): string {
  const name = column.column;
  const levels = levelsOf(column);
  const missing = levels.length;
  const blanks = Array.from({ length: mostBlanks + 1 }, (_, count) => ' '.repeat(count));
  const place = writer.node(
    'LabelEncoder',
    [name],
    {
      keys_strings: [...levels, ...blanks],
      values_int64s: [...levels.keys(), ...blanks.map(() => missing)],
      default_int64: missing + 1,
    },
    writer.named(`${name} level`),
    {
      domain: mlDomain,
      docString: `The level of ${name}: ${missing} is missing, ${missing + 1} is any other text.`,
    },
  );
  const table = writer.constant(
    { data: rowsOf(column, refusing), shape: [levels.length + 2, columnWidth(column)], dtype: 'float32' },
    writer.named(`${name} table`),
  );
  // Not Gather: onnxruntime's quantize_dynamic would round the table to 8 bits.
  return writer.node('GatherND', [table, place], {}, writer.named(`${name} encoded`));
}

/** What core makes of each level, of a missing value and of another text [L + 2, W]. */
function rowsOf(column: Lookup, refusing: boolean): Float32Array {
  const levels = levelsOf(column);
  const width = columnWidth(column);
  let other = 'another';
  while (levels.includes(other)) other += '?';
  // An order has no place for other texts.
  const cells = [...levels, null, ...(column.kind === 'ordered' ? [] : [other])];
  const table = new Table(new Map([[column.column, cells]]), cells.length, false);
  const encoding = { version: 2, tracked: [], columns: [column] } as const;
  const { x } = encodeTable(encoding, table, { call: 'exportOnnx', missing: 'mask', training: false });
  const rows = new Float32Array((levels.length + 2) * width).fill(Number.POSITIVE_INFINITY);
  rows.set(x.data as Float32Array);
  if (refusing) rows.fill(Number.NaN, levels.length * width, (levels.length + 1) * width);
  return rows;
}
