// Returns what a page receives from outside.

export async function run({ value }: { value: number }): Promise<unknown> {
  const status = async (path: string): Promise<number> => (await fetch(path)).status;
  return {
    doubled: 2 * value,
    bytes: Array.from(new Uint8Array(await (await fetch('/bytes.bin')).arrayBuffer())),
    file: await (await fetch('/data/file.txt')).text(),
    missing: await status('/data/none.txt'),
    outside: await status('/data/%2e%2e%2findex.ts'),
  };
}
