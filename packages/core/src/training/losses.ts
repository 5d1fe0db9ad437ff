// Losses of steps, summed on the host in float64. A read waits for every step before it, and a device idles until the next one is
// asked for: so some are read together.

import type { Value } from '../graph/backend.js';
import { readAndFree } from './program.js';

/** Steps that a device may be behind its host. */
const mostWaiting = 16;

export class LossSum {
  private readonly waiting: Value[] = [];
  private sum = 0;

  /** Takes the loss of one more step, which it frees. */
  async add(loss: Value): Promise<void> {
    this.waiting.push(loss);
    if (this.waiting.length >= mostWaiting) await this.total();
  }

  /** Σ of the losses so far. */
  async total(): Promise<number> {
    for (let loss = this.waiting.shift(); loss; loss = this.waiting.shift()) {
      this.sum += (await readAndFree(loss)).data[0] as number;
    }
    return this.sum;
  }

  /** Frees what was not read. */
  dispose(): void {
    for (const loss of this.waiting.splice(0)) loss.dispose();
  }
}
