// An error that the user can fix: printed as a sentence, without a stack.

export class Failure extends Error {
  override readonly name = 'Failure';
}
