// A vitest reporter: one plain last line, `N passed, N failed`, for a CI that reads only that.
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    const count = { passed: 0, failed: unhandled.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      // A file that could not be loaded has no test to count, and is a failure all the same.
      count.failed += module.errors().length;
      for (const test of module.children.allTests()) count[test.result().state]++;
    }
    // A test that never ended (its worker died, or the run was interrupted) did not pass.
    const failed = count.failed + count.pending;
    const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
    // A run that skipped everything proved nothing.
    if (count.passed + failed === 0) process.exitCode = 1;
    console.log(`${count.passed} passed, ${failed} failed${skipped}`);
  }
}
