/** SQLSTATE `unique_violation`. */
const UNIQUE_VIOLATION = '23505';

/** Whether a statement failed because of a unique constraint. */
export function isUniqueViolation(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION;
}
