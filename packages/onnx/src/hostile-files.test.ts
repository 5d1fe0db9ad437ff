// Files that somebody made to do harm: a FormatError, in memory of a few times the file.

import { create, toBinary } from '@bufbuild/protobuf';
import { isFkmError } from '@fkm/core';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { ModelProtoSchema, StringStringEntryProtoSchema } from './generated/onnx_pb.js';
import { importOnnx } from './import-onnx.js';
import { readOnnx } from './read-onnx.js';
import { backend, learned } from './testing.js';

const size = 12 * 2 ** 20;

/** How much higher the memory of this process has ever been after a call than before it. */
async function peak(call: () => Promise<unknown>): Promise<number> {
  const before = process.resourceUsage().maxRSS;
  await call();
  return (process.resourceUsage().maxRSS - before) * 1024;
}

describe('an import stays within a few times the file', () => {
  const texts: readonly (readonly [string, string])[] = [
    ['brackets', '['.repeat(size)],
    ['objects', `[${'{},'.repeat(size / 3)}{}]`],
    ['keys', `{${Array.from({ length: size / 12 }, (_, i) => `"${i}":0`)}}`],
  ];
  const names = ['options', 'state', 'classes', 'tensors', 'export', 'encoding'];
  it.each(names.flatMap((name) => texts.map(([what, text]) => [name, what, text] as const)))(
    'whose %s are %s',
    async (name, _what, text) => {
      const proto = readOnnx(exportOnnx(await learned.regressor({ nPrototypes: 12 })));
      proto.metadataProps = [
        ...proto.metadataProps.filter(({ key }) => key !== `fkm.${name}`),
        create(StringStringEntryProtoSchema, { key: `fkm.${name}`, value: text }),
      ];
      const file = toBinary(ModelProtoSchema, proto);
      let error: unknown;
      const used = await peak(() =>
        importOnnx(file, { backend }).catch((thrown) => {
          error = thrown;
        }),
      );
      expect(isFkmError(error) && error.kind).toBe('format');
      expect(used).toBeLessThan(6 * file.length);
    },
  );
});
