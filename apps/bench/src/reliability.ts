// What long-lived processes meet, a case a measure: `pnpm bench reliability --case memory`.

import { benchMemory, type MemoryOptions } from './memory.ts';
import { benchFiles, type FilesOptions } from './reliability-files.ts';
import { benchRequests, type RequestsOptions } from './requests.ts';

export type ReliabilityCase = 'memory' | 'requests' | 'files';

/** Each prints what it saw; further cases are further rows. */
export const reliabilityCases: Readonly<
  Record<ReliabilityCase, (options: MemoryOptions & RequestsOptions & FilesOptions) => Promise<void>>
> = {
  memory: benchMemory,
  requests: benchRequests,
  files: benchFiles,
};
