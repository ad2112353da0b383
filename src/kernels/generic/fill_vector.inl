// Puts every generic vector kernel into the table.

template <typename Elements>
KvKernels MakeKvKernels() {
  return {.write_key = WriteKey<Elements>, .write_value = WriteValue<Elements>, .read_key = ReadKey<Elements>,
          .read_value = ReadValue<Elements>, .attend = Attend<Elements>};
}

void FillAll(VectorKernels& kernels) {
  kernels = {.rms_norm = RmsNorm,
             .silu_mul = SiluMul,
             .add_scaled = AddScaled,
             .rope_halves = RopeHalves,
             .rope_interleaved = RopeInterleaved,
             .f16_to_f32 = ConvertFromF16,
             .bf16_to_f32 = ConvertFromBf16,
             .f32_to_f16 = ConvertToF16,
             .f32_to_bf16 = ConvertToBf16,
             .max = MaxOf,
             .argmax = ArgMax,
             .softmax_exp = SoftmaxExp,
             .join = JoinStates,
             .finish = FinishRow,
             .kv = {MakeKvKernels<ElementsF16>(), MakeKvKernels<ElementsBf16>(), MakeKvKernels<ElementsI8>()}};
}
