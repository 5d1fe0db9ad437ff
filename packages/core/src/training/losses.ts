// Losses of steps, summed on the host in float64. Reading a loss waits for all steps before it and leaves the device idle, so
// several are read together.

import type { Value } from '../graph/backend.js';
import { readAndFree } from './program.js';

/** Most steps that the device may lag behind the host. */
const mostWaiting = 16;

export class LossSum {
  private readonly waiting: Value[] = [];
  private sum = 0;

  /** Takes the loss of a step, which is freed. */
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

  /** Frees the losses that were not read. */
  dispose(): void {
    for (const loss of this.waiting.splice(0)) loss.dispose();
  }
}
