// Behaviour stays to the bit where nobody means to change it: answers.json has what every estimator answered.

import { describe, expect, test } from 'vitest';
import { answersOf, backends, processor, recorded } from '../scripts/answers.ts';

describe.each(Object.keys(backends))('answers on %s', (name) => {
  test('are those recorded', async () => {
    const { answers, processor: then } = recorded();
    const want = Object.fromEntries(Object.entries(answers).filter(([key]) => key.endsWith(` ${name}`)));
    const got = await answersOf(name);
    // JavaScript and WebAssembly give the same bits everywhere, kernels of onnxruntime where the instructions are the same.
    if (name !== 'onnx cpu' || (then !== '' && processor() === then)) expect(got).toEqual(want);
    expect(Object.keys(got)).toEqual(Object.keys(want));
    for (const [key, [fitted, finetuned]] of Object.entries(got)) {
      const [fittedThen, finetunedThen] = want[key] as (typeof want)[string];
      // Other sums round otherwise, by 1e-6 a step; what is nearest may then change for a row on a border, which training spreads.
      fitted.first.forEach((value, i) => {
        expect(value, key).toBeCloseTo(fittedThen.first[i] as number, 2);
      });
      finetuned.first.forEach((value, i) => {
        expect(value, key).toBeCloseTo(finetunedThen.first[i] as number, 2);
      });
    }
  });
});
