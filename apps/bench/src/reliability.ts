// Reliability of long-lived processes, by case: `pnpm bench reliability --case memory`.

import { benchMemory, type MemoryOptions } from './memory.ts';
import { benchFiles, type FilesOptions } from './reliability-files.ts';
import { benchRequests, type RequestsOptions } from './requests.ts';

export type ReliabilityCase = 'memory' | 'requests' | 'files';

/** Each case prints its measurements; a new case is a new row. */
export const reliabilityCases: Readonly<
  Record<ReliabilityCase, (options: MemoryOptions & RequestsOptions & FilesOptions) => Promise<void>>
> = {
  memory: benchMemory,
  requests: benchRequests,
  files: benchFiles,
};
