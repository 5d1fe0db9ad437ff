// The npm packages of each device, for loading them and for naming a missing one.

/** Packages that register the device; any one suffices, and they are tried in order. */
export const packagesOf = (device: string): readonly string[] =>
  (device === 'node' ? ['node-gpu', 'node'] : [`backend-${device}`]).map(
    (name) => `@tensorflow/tfjs-${name}`,
  );

/** What to install for a device: "a@1 or b@1". */
export const versionsOf = (device: string): string =>
  packagesOf(device)
    .map((name) => `${name}@4.22.0`)
    .join(' or ');
