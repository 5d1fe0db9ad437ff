// The errors of core, marked as coming from this package.

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

/** The name of this package in errors. */
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

/** The message of whatever was thrown. */
export const messageOf = (error: unknown): string =>
  cut((error instanceof Error ? error.message : String(error)).trim().replace(/\.$/, ''));

/**
 * A module that only Node can load. Its name is not a literal at the import, since bundlers for browsers would follow it into
 * native code, or fail.
 */
export const ofNode = <T>(name: string): Promise<T> =>
  import(/* @vite-ignore */ /* webpackIgnore: true */ name) as Promise<T>;

/** A package that the user installs. Errors: BackendError with the install command. */
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
