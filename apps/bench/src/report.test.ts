import { expect, it } from 'vitest';
import { formatTable, rounded } from './report.ts';

it('a table pads to the widest cell, numbers to the right', () => {
  const table = formatTable(
    ['set', 'score'],
    [
      ['diamonds', 0.98],
      ['kin', '0.9312'],
    ],
  );
  expect(`\n${table}`).toMatchInlineSnapshot(`
    "
    set        score
    --------  ------
    diamonds    0.98
    kin       0.9312"
  `);
});

it('a table without rows is its head', () => {
  expect(formatTable(['a', 'b'], [])).toBe('a  b\n-  -');
});

it('rounded keeps four digits, whatever the size', () => {
  expect([0.854321, 12345.6, 0].map(rounded)).toEqual([0.8543, 12350, 0]);
});
