// Learning-rate schedules: each maps progress in [0, 1] to a share of the peak.

export type Schedule = 'oneCycle' | 'cosine' | 'constant';

const cosineFall = (progress: number): number => 0.5 * (1 + Math.cos(Math.PI * progress));
const warmUp = 0.1;

const schedules: Readonly<Record<Schedule, (progress: number) => number>> = {
  // 10 % warm-up from 1/25 of the peak, then a cosine decay to nearly 0 (Smith & Topin 2018).
  oneCycle: (p) =>
    p < warmUp
      ? 0.04 + 0.96 * (1 - cosineFall(p / warmUp))
      : Math.max(1e-4, cosineFall((p - warmUp) / (1 - warmUp))),
  cosine: cosineFall,
  constant: () => 1,
};

/** Share of the peak learning rate at step `step` of `steps`. */
export function scheduleAt(schedule: Schedule, step: number, steps: number): number {
  return schedules[schedule](steps <= 1 ? 0 : step / (steps - 1));
}
