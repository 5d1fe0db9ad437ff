// Ctrl-C as an AbortSignal, so that work stops between two steps and cleans up.

/** Exit status of a program that SIGINT ended: 128 + 2. */
const interrupted = 130;

/** Runs until done, or until SIGINT aborts the signal; a second SIGINT ends the process at once. */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  process.once('SIGINT', abort);
  try {
    await work(controller.signal);
  } catch (error) {
    if (error !== controller.signal.reason) throw error;
    console.log('\nStopped; nothing was written.');
    process.exitCode = interrupted;
  } finally {
    process.off('SIGINT', abort);
  }
}
