import { expect, test } from "vitest";
import lab from "./lab";

test("anywidget finds initialize on the bundle's default export", () => {
  expect(lab.initialize).toBeTypeOf("function");
});
