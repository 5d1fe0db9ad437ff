// A page that warns, then fails.

export async function run(): Promise<never> {
  // biome-ignore lint/suspicious/noConsole: what the test looks for
  console.warn('careful');
  throw new Error('not today');
}
