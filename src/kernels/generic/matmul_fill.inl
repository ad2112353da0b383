// Puts a level's products into the table. Included inside a level's anonymous namespace, last.

template <DType kType>
void FillType(MatMulKernels& kernels) {
  if constexpr (kFormatOf<kType>.bits() == 0) {
    kernels.weights[static_cast<int>(kType)].multiply = MultiplyFloats<kType>;
  } else {
    kernels.weights[static_cast<int>(kType)].multiply = Multiply<kType>;
  }
}

void FillProducts(MatMulKernels& kernels) {
  FillType<DType::kF32>(kernels);
  FillType<DType::kF16>(kernels);
  FillType<DType::kBF16>(kernels);
  FillType<DType::kQ4_0>(kernels);
  FillType<DType::kQ4_1>(kernels);
  FillType<DType::kQ5_0>(kernels);
  FillType<DType::kQ5_1>(kernels);
  FillType<DType::kQ8_0>(kernels);
  FillType<DType::kQ2_K>(kernels);
  FillType<DType::kQ3_K>(kernels);
  FillType<DType::kQ4_K>(kernels);
  FillType<DType::kQ5_K>(kernels);
  FillType<DType::kQ6_K>(kernels);
  FillType<DType::kIQ4_NL>(kernels);
  FillType<DType::kIQ4_XS>(kernels);
  kernels.quantize_column = QuantizeColumn;
  kernels.make_terms = MakeTerms;
}
