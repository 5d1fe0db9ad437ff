// `pnpm kernel` compiles kernel.ts to WebAssembly and writes it as a module. The same source gives the same bytes.

import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import asc from 'assemblyscript/asc';

const source = new URL('kernel.ts', import.meta.url);
const target = new URL('../src/kernel-bytes.ts', import.meta.url);

/** The text of src/kernel-bytes.ts. */
export async function kernelModule(): Promise<string> {
  const { error, stderr, binary } = await asc.compileString(
    { 'kernel.ts': readFileSync(source, 'utf8') },
    { optimizeLevel: 3, enable: ['simd'], runtime: 'stub', importMemory: true, noAssert: true },
  );
  if (error || !binary)
    throw new Error(`the kernel does not compile: ${stderr.toString()}`, { cause: error });
  const lines =
    Buffer.from(binary)
      .toString('base64')
      .match(/.{1,104}/g) ?? [];
  return `// Written by kernel/build.ts from kernel/kernel.ts: WebAssembly in base64.

export const kernelBytes: string = \`
${lines.join('\n')}
\`;
`;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(target, await kernelModule());
}
