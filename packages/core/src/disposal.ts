// The symbols by which `using` and `await using` dispose of models and backends, also where the runtime has none yet.

// TypeScript knows the symbols by lib 'esnext.disposable' or @types/node; declarations of ours need neither. The three agree.
declare global {
  interface SymbolConstructor {
    readonly dispose: unique symbol;
    readonly asyncDispose: unique symbol;
  }
}

// What compilers of `using` look for where the runtime has no such symbol.
const known = <N extends 'dispose' | 'asyncDispose'>(name: N): SymbolConstructor[N] =>
  Symbol[name] ?? (Symbol.for(`Symbol.${name}`) as SymbolConstructor[N]);

export const asyncDisposeSymbol: typeof Symbol.asyncDispose = /* @__PURE__ */ known('asyncDispose');
export const disposeSymbol: typeof Symbol.dispose = /* @__PURE__ */ known('dispose');

/** What can be disposed of: by name, by `await using`, and by `using`, which does not wait. */
export interface Disposing {
  dispose(): Promise<void>;
  [asyncDisposeSymbol](): Promise<void>;
  [disposeSymbol](): void;
}

/** Base of classes whose `dispose()` serves `using` and `await using`. */
export const DisposingBase: abstract new () => Disposing = /* @__PURE__ */ (() => {
  abstract class Base implements Disposing {
    abstract dispose(): Promise<void>;

    [asyncDisposeSymbol](): Promise<void> {
      return this.dispose();
    }

    [disposeSymbol](): void {
      void this.dispose();
    }
  }
  return Base;
})();

/** The same object, which `using` and `await using` can dispose of. */
export const disposing = <T extends Disposing>(object: Omit<T, keyof Disposing> & Pick<T, 'dispose'>): T =>
  ({
    ...object,
    [asyncDisposeSymbol]: () => object.dispose(),
    [disposeSymbol]: () => void object.dispose(),
  }) as unknown as T;
