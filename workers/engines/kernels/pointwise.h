// Functions of single values. exp and tanh as in the Cephes library (Moshier 1992; expf.c, tanhf.c), with fused multiply-add.

/** e^x for x of -87 to 88, where float32 ends; e^-87 below, e^88 above. */
INLINE Vector exponential(Vector x) {
  const Vector low = splat(-87.0f), high = splat(88.0f);
  // a NaN fails both comparisons and stays one
  x = choose(isBelow(x, low), low, choose(isAbove(x, high), high, x));
  const Vector n = round(multiply(x, splat(1.44269504088896341f)));
  const Vector r = fma(n, splat(2.12194440e-4f), fma(n, splat(-0.693359375f), x));
  Vector p = splat(1.9875691500e-4f);
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    p = fma(p, r, splat(c));
  return scale(add(fma(p, multiply(r, r), r), splat(1)), n);
}

INLINE Vector sigmoid(Vector x) { return divide(splat(1), add(splat(1), exponential(subtract(zero(), x)))); }

INLINE Vector hyperbolicTangent(Vector x) {
  const Vector size = magnitude(x), z = multiply(x, x);
  Vector p = splat(-5.70498872745e-3f);
  for (const float c : {2.06390887954e-2f, -5.37397155531e-2f, 1.33314422036e-1f, -3.33332819422e-1f})
    p = fma(p, z, splat(c));
  const Vector near = fma(multiply(p, z), x, x);
  const Vector far = subtract(splat(1), divide(splat(2), add(exponential(add(size, size)), splat(1))));
  return choose(isBelow(size, splat(0.625f)), near, choose(isAbove(x, zero()), far, subtract(zero(), far)));
}
