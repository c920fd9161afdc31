/** The engine: a tiny recurrent network's numbers as pure functions, without the DOM. */

export { centralDifference, centralDifferences, type Differences } from "./differences";
export {
  type ForwardPass,
  forward,
  nodeValues,
  outputs,
  stateValues,
  totalLoss,
  type Values,
} from "./forward";
export { StateJacobians, singularValues } from "./jacobians";
export { type Key, Labels, subscript } from "./labels";
export { MAX_TERMS, type Term, type Terms, terms } from "./paths";
export {
  type Block,
  type Changes,
  cuts,
  elementCount,
  type Folded,
  LOSSES,
  type Loss,
  type Program,
  previousStep,
  programFromJson,
  programToJson,
  refold,
  type Truncation,
} from "./program";
export {
  type Adjoints,
  adjoints,
  contribution,
  contributions,
  gradients,
  nodeAdjoint,
  type Sweep,
  sweep,
} from "./sweep";
export type { Template, TemplateNode } from "./template";
