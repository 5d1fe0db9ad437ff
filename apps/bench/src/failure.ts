// An error that is the user's to mend: printed as its sentence, without a stack.

export class Failure extends Error {
  override readonly name = 'Failure';
}
