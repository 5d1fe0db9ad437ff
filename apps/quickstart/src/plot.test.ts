import { describe, expect, it } from 'vitest';
import { lossPlot, pricePlot } from './plot.ts';

const standalone = /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<\/svg>$/;

describe('plots', () => {
  it('counts predictions in hexagons', () => {
    const truth = Float32Array.from({ length: 500 }, (_, i) => i * 30);
    const svg = pricePlot(
      truth,
      truth.map((v) => v * 0.9),
      0.9,
    );
    expect(svg).toMatch(standalone);
    expect(svg).toContain('500 held-out diamonds');
    expect(svg).not.toContain('NaN');
  });

  it('draws a loss curve with and without validation rows', () => {
    const history = [1, 2, 3].map((done) => ({ phase: 'finetune' as const, done, of: 3, loss: 1 / done }));
    const without = lossPlot(history);
    const both = lossPlot(history.map((h) => ({ ...h, evalLoss: 2 / h.done, best: h.done < 3 })));
    for (const svg of [without, both]) expect(svg).toMatch(standalone);
    expect([without.includes('validation<'), both.includes('validation<')]).toEqual([false, true]);
  });
});
