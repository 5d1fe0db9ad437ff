declare module 'skmeans' {
  function skmeans(
    data: readonly (readonly number[])[],
    k: number,
    initial: 'kmpp' | 'kmrand' | readonly (readonly number[])[],
    iterations: number,
  ): { readonly centroids: number[][]; readonly idxs: number[]; readonly it: number };
  export = skmeans;
}
