/** What is typed and pasted, in all the forms in which people have matrices. */

import { describe, expect, test } from "vitest";
import { readClass, readClasses, readMatrix, readNumber } from "../src/views/parameters-read";

test.each([
  ["0.5", 0.5],
  ["-0,5", -0.5],
  ["−0.5", -0.5],
  [" +.25 ", 0.25],
  ["1e-3", 1e-3],
  ["−1,5E+2", -150],
  ["3.", 3],
  ["1e12", 1e12],
])("%j is a number", (text, is) => {
  expect(readNumber(text)).toEqual({ is });
});

test.each(["abc", "", "1.2.3", "1,000.5", "--1", "0x10", "1e", "NaN", "∞", "Infinity", "1 2"])(
  "%j is not, and the message says what is",
  (text) => {
    expect(readNumber(text)).toEqual({
      error: expect.stringContaining("expected a number such as −0.5"),
    });
    if (text) expect(readNumber(text)).toEqual({ error: expect.stringContaining(`“${text}”`) });
  },
);

test("a number beyond a float is too large", () => {
  expect(readNumber("1e400")).toEqual({ error: "1e400 is too large to hold" });
});

test("a class is a whole number below their count", () => {
  expect(readClass(" 2 ", 3)).toEqual({ is: 2 });
  for (const text of ["3", "-1", "1.5", "", "x"]) {
    expect(readClass(text, 3)).toEqual({ error: expect.stringContaining("from 0 to 2") });
  }
});

describe("a matrix", () => {
  const whole = [1, 2, 3, 4, 5, 6];
  test.each([
    ["nested lists", "[[1, 2, 3], [4, 5, 6]]"],
    ["tuples' lists over lines, a comma at the end", "[\n  [1, 2, 3],\n  [4, 5, 6],\n]"],
    ["torch", "tensor([[1., 2., 3.],\n        [4., 5., 6.]])"],
    [
      "torch with options",
      "tensor([[1., 2., 3.], [4., 5., 6.]], dtype=torch.float64, grad_fn=<AddBackward0>)",
    ],
    [
      "a torch parameter",
      "Parameter containing:\ntensor([[1., 2., 3.],\n        [4., 5., 6.]], requires_grad=True)",
    ],
    ["numpy's repr", "array([[1., 2., 3.],\n       [4., 5., 6.]])"],
    ["numpy's str", "[[1. 2. 3.]\n [4. 5. 6.]]"],
    ["a call", "np.array([[1,2,3],[4,5,6]], dtype=np.float32)"],
    ["a batch of one", "[[[1, 2, 3], [4, 5, 6]]]"],
    ["a batch of one in the middle", "[[[1, 2, 3]], [[4, 5, 6]]]"],
    ["Julia's literal", "[1 2 3; 4 5 6]"],
    ["Julia's typed literal", "Float32[1.0 2.0 3.0; 4.0 5.0 6.0]"],
    ["Julia's literal over lines", "[1 2 3\n 4 5 6]"],
    ["Julia's print", "2×3 Matrix{Float64}:\n 1.0  2.0  3.0\n 4.0  5.0  6.0"],
    ["Julia's single floats", "1.0f0 2.0f0 3.0f0; 4.0f0 5.0f0 6.0f0"],
    ["Matlab's literal", "[1, 2, 3; 4, 5, 6]"],
    ["rows and columns", "1 2 3; 4 5 6"],
    ["tabs", "1\t2\t3\n4\t5\t6"],
    ["CSV", "1,2,3\r\n4,5,6\r\n"],
    ["CSV of decimal commas", "1,0;2,0;3,0\n4,0;5,0;6,0"],
    ["tabs and decimal commas", "1,0\t2,0\t3,0\n4,0\t5,0\t6,0"],
    ["exponents and signs", "+1e0 2.E+0 30e-1; 4 .5e1 6"],
  ])("of %s", (_, text) => {
    expect(readMatrix(text, [2, 3])).toEqual({ is: Float64Array.from(whole) });
  });

  test("keeps typeset minus signs", () => {
    expect(readMatrix("−1 2; 3 −4", [2, 2])).toEqual({ is: Float64Array.of(-1, 2, 3, -4) });
  });

  test.each([
    ["a list", "[1, 2, 3]"],
    ["a column", "1\n2\n3"],
    ["a column of lists", "[[1], [2], [3]]"],
    ["a row", "[[1, 2, 3]]"],
    ["numpy over two lines", "[1. 2.\n 3.]"],
    ["Julia's print", "3-element Vector{Float64}:\n 1.0\n 2.0\n 3.0"],
  ])("for a vector may be %s", (_, text) => {
    expect(readMatrix(text, [3])).toEqual({ is: Float64Array.of(1, 2, 3) });
    expect(readMatrix(text, [3, 1])).toEqual({ is: Float64Array.of(1, 2, 3) });
  });

  test("of another shape is refused, naming both", () => {
    expect(readMatrix("[[1, 2], [3, 4]]", [3, 3])).toEqual({
      error: "expected the shape (3, 3), but (2, 2) was pasted",
    });
    expect(readMatrix("[1, 2]", [3])).toEqual({
      error: "expected the shape (3,), but (2,) was pasted",
    });
  });

  test("that is the transpose is offered turned", () => {
    expect(readMatrix("[[1, 4], [2, 5], [3, 6]]", [2, 3])).toEqual({
      error: "expected the shape (2, 3), but (3, 2) was pasted",
      transpose: Float64Array.from(whole),
    });
  });

  test.each([
    "[[1, 2], [3]]",
    "[[1, 2], [3, 4]",
    "[]",
    "1 2 3 4 5",
    "1",
    "[1, 2, 3, 4]",
    "[[[1, 2], [3, 4]], [[5, 6], [7, 8]]]",
  ])("%j says which shape is expected", (text) => {
    expect(readMatrix(text, [2, 2])).toEqual({ error: expect.stringContaining("(2, 2)") });
  });

  test.each([
    ["", "nothing was pasted"],
    ["[[1, 2], [3]]", "row 0 has 2 numbers, row 1 has 1"],
    ["1 2\n3 x", "“x” is not a number (row 1)"],
    ["1,,2", "a number is missing (row 0)"],
    ["[[1, 2], [3, 4]", "a bracket is missing"],
    ["[[1, nan], [3, 4]]", "“nan” is not a number"],
    ["[[1, 1e999], [3, 4]]", "too large"],
    ["tensor([[1., ..., 2.]])", "left out"],
    ["[]", "no number"],
    ["[[1, 2], oops, [3, 4]]", "“oops”"],
  ])("%j is refused", (text, error) => {
    expect(readMatrix(text, [2, 2])).toEqual({ error: expect.stringContaining(error) });
  });
});

describe("pasted classes", () => {
  test("are whole numbers below their count, in any form that numbers have", () => {
    const is = Float64Array.of(0, 2, 1);
    for (const text of ["[0, 2, 1]", "0 2 1", "tensor([0, 2, 1])", "0\n2\n1", "[0., 2., 1.]"]) {
      expect(readClasses(text, [3], 3)).toEqual({ is });
    }
  });

  test.each([
    ["[0, 3, 1]", "“3” is no class; expected a whole number from 0 to 2"],
    ["[0, -1, 1]", "“-1” is no class"],
    ["[0, 0.5, 1]", "“0.5” is no class"],
    ["[0, 1]", "expected the shape (3,), but (2,) was pasted"],
    ["", "nothing was pasted"],
  ])("%j is refused", (text, error) => {
    expect(readClasses(text, [3], 3)).toEqual({ error: expect.stringContaining(error) });
  });
});
