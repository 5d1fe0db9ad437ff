// Which npm packages bring a device of tfjs, for loading them and for saying which one is missing.

/** Packages of which any one registers the device, the first to try first. */
export const packagesOf = (device: string): readonly string[] =>
  (device === 'node' ? ['node-gpu', 'node'] : [`backend-${device}`]).map(
    (name) => `@tensorflow/tfjs-${name}`,
  );

/** What to install for a device: "a@1 or b@1". */
export const versionsOf = (device: string): string =>
  packagesOf(device)
    .map((name) => `${name}@4.22.0`)
    .join(' or ');
