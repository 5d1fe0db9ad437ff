// A module that cannot run in a browser.

import { readFileSync } from 'node:fs';

export const run = (): string => String(readFileSync('/etc/hostname'));
