// A module that no browser can have.

import { readFileSync } from 'node:fs';

export const run = (): string => String(readFileSync('/etc/hostname'));
