// Calibration of probabilities, of classes and of single labels.

import { accuracyScore, f1Score } from '@fkm/core';
import type { Rows } from './rows.ts';

export interface Judgement {
  /** Expected calibration error in 15 bins of equal width (Guo et al. 2017): Σ bins |Σ p − rows that have it| / N. */
  readonly ece: number;
  /** Mean −log p of the true class or label; p = 0 counts as 1e-15. */
  readonly logLoss: number;
  /** Mean excess of p over the actual share: for the most probable class, or for all labels. */
  readonly excess: number;
  /** Accuracy, or macro-F1. */
  readonly score: number;
}

const bins = 15;
const least = 1e-15;
const logarithm = (p: number): number => Math.log(Math.max(p, least));

/** Collects probabilities with whether they were right. */
class Reliability {
  private readonly gaps = new Float64Array(bins);
  private count = 0;

  add(p: number, holds: boolean): void {
    const bin = Math.min(bins - 1, Math.floor(p * bins));
    this.gaps[bin] = (this.gaps[bin] as number) + p - Number(holds);
    this.count++;
  }

  get ece(): number {
    return this.gaps.reduce((sum, gap) => sum + Math.abs(gap), 0) / this.count;
  }

  get excess(): number {
    return this.gaps.reduce((sum, gap) => sum + gap, 0) / this.count;
  }
}

/** Judges probabilities [N, C] by the index of the true class of each row; −1 for a class without a column. */
export function judgeClasses(p: ArrayLike<number>, truth: readonly number[], classes: number): Judgement {
  const reliability = new Reliability();
  let loss = 0;
  const said = truth.map((own, i) => {
    const row = Array.from({ length: classes }, (_, c) => p[i * classes + c] as number);
    const best = row.indexOf(Math.max(...row));
    reliability.add(row[best] as number, best === own);
    loss -= logarithm(own < 0 ? 0 : (row[own] as number));
    return best;
  });
  const { ece, excess } = reliability;
  return { ece, excess, logLoss: loss / truth.length, score: accuracyScore(truth, said) };
}

/** Judges label probabilities [N, C] by 0/1 labels [N, C]; `said` are the predicted labels, by default those with p > 0.5. */
export function judgeLabels(
  p: ArrayLike<number>,
  { data, shape }: Rows,
  said?: ArrayLike<number>,
): Judgement {
  const reliability = new Reliability();
  let loss = 0;
  data.forEach((holds, i) => {
    const share = p[i] as number;
    reliability.add(share, holds === 1);
    loss -= logarithm(holds === 1 ? share : 1 - share);
  });
  const labels = Float32Array.from(said ?? Array.from(p, (share) => Number(share > 0.5)));
  const { ece, excess } = reliability;
  return { ece, excess, logLoss: loss / data.length, score: f1Score(data, labels, shape[1]) };
}
