/**
 * Stand-in of `@hexabot-ai/api` 3.5.0: the contract of its actions and workflows, written from observed behavior.
 *
 * The real package is not needed to test this action. Only what an action and the examples see is here.
 */
export * from './actions';
export * from './builtin';
export * from './context';
export * from './workflow';
