// The table of op cases.

import { expand, type OpCase } from '../case.js';
import { elementwise } from './elementwise.js';
import { layout } from './layout.js';
import { reducing } from './reduce.js';

let table: readonly OpCase[] | undefined;

/** All op cases, built at the first call. Errors: if two cases have the same key. */
export function opCases(): readonly OpCase[] {
  if (table) return table;
  const cases = [...elementwise, ...reducing, ...layout].flatMap(expand);
  const keys = new Set<string>();
  for (const { key } of cases) {
    if (keys.has(key)) throw new Error(`two cases are called ${key}.`);
    keys.add(key);
  }
  table = cases;
  return cases;
}
