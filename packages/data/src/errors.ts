// Errors of this package: those of core, which say that they come from here.

import {
  BackendError,
  DataError,
  type ErrorDetails,
  FormatError,
  OptionError,
  ShapeError,
  StateError,
} from '@fkm/core';
import { cut } from '@fkm/core/graph';

/** How errors name this package. */
export const scope = 'data';

export const optionError = (message: string, details: ErrorDetails = {}): OptionError =>
  new OptionError(message, details, scope);
export const dataError = (message: string, details: ErrorDetails = {}): DataError =>
  new DataError(message, details, scope);
export const shapeError = (message: string, details: ErrorDetails = {}): ShapeError =>
  new ShapeError(message, details, scope);
export const stateError = (message: string, details: ErrorDetails = {}): StateError =>
  new StateError(message, details, scope);
export const formatError = (message: string, details: ErrorDetails = {}): FormatError =>
  new FormatError(message, details, scope);
export const backendError = (message: string, details: ErrorDetails = {}): BackendError =>
  new BackendError(message, details, scope);

/** What was thrown, as text. */
export const messageOf = (error: unknown): string =>
  cut((error instanceof Error ? error.message : String(error)).trim().replace(/\.$/, ''));

/**
 * A module that Node alone can load. Its name is no literal where it is imported: bundlers for browsers would follow one into
 * native code, or fail, wherever the package is installed.
 */
export const ofNode = <T>(name: string): Promise<T> =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ name) as Promise<T>;

/** A runtime that the user installs. Errors: BackendError with the command. */
export async function runtime<T>(load: () => Promise<T>, packages: string, call: string): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw backendError(
      `${call}: this needs ${packages.replaceAll(' ', ' and ')}, which cannot be loaded (${messageOf(error)}); run: npm install ${packages}`,
      { packages: packages.split(' ') },
    );
  }
}
