// Learning rates over a run.

import { describe, expect, it } from 'vitest';
import { scheduleAt } from './schedule.js';

const run = (schedule: 'oneCycle' | 'cosine' | 'constant', steps = 101): number[] =>
  Array.from({ length: steps }, (_, step) => scheduleAt(schedule, step, steps));

describe('scheduleAt', () => {
  it('constant stays at the peak', () => {
    expect(new Set(run('constant'))).toEqual(new Set([1]));
  });
  it('cosine falls from the peak to nothing', () => {
    const rates = run('cosine');
    expect([rates[0], rates[50], rates[100]].map((r) => Math.round((r as number) * 1e9) / 1e9)).toEqual([
      1, 0.5, 0,
    ]);
    rates.slice(1).forEach((rate, i) => {
      expect(rate).toBeLessThan(rates[i] as number);
    });
  });
  it('one cycle warms up over a tenth, peaks, and falls to nearly nothing, never below it', () => {
    const rates = run('oneCycle');
    expect(rates[0]).toBeCloseTo(0.04, 12);
    expect(rates[10]).toBeCloseTo(1, 12);
    expect(rates.indexOf(Math.max(...rates))).toBe(10);
    expect(rates[100]).toBe(1e-4);
    for (let i = 1; i <= 10; i++) expect(rates[i]).toBeGreaterThan(rates[i - 1] as number);
    for (let i = 11; i <= 100; i++) expect(rates[i]).toBeLessThanOrEqual(rates[i - 1] as number);
  });
  it('takes a run of one step', () => {
    expect(scheduleAt('oneCycle', 0, 1)).toBeCloseTo(0.04, 12);
    expect(scheduleAt('cosine', 0, 1)).toBe(1);
  });
});
