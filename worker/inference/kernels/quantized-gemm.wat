;; The product of two 8-bit matrices, for onnxruntime's WASM build: C[M, N] = (A[M, K] - zeroPointA) * (B[K, N] - zeroPointB), all
;; row-major, A and B unsigned, C 32-bit. Takes the place of MLAS's MlasGemmQuantOperation (quantized-gemm.ts says how), and gives the
;; same bits. MLAS multiplies one row by eight columns at a time and loads every element of B again for each row; here four
;; rows share it. That is a third of the loads, and where the engine checks every address (workerd does) loads are what costs most.
;;
;; A block of B (512 rows, 256 columns) is widened to 16 bits, zero point taken off, in panels of 8 columns; of A 16 rows, in
;; panels of 4. Both hold pairs of neighbours along K, which i32x4.dot_i16x8_s multiplies and adds. K is padded with zeros to a
;; multiple of 16, edges of N likewise; edges of M repeat the last row, and what comes of that is not written.
;;
;; Layout of MLAS's structs (onnxruntime/core/mlas/inc/mlas.h), wasm32:
;;   MLAS_GEMM_QUANT_SHAPE_PARAMS: 0 M, 4 N, 8 K, 12 AIsSigned, 13 BIsSigned, 14 IsAccumulateMode
;;   MLAS_GEMM_QUANT_DATA_PARAMS:  0 A, 4 lda, 8 ZeroPointA, 12 B, 16 ldb, 20 ZeroPointB (pointer), 24 BIsPacked,
;;                                 25 PerColumnZeroPoints, 28 C, 32 ldc, 36 OutputProcessor (pointer)
(module
  (type $operation (func (param i32 i32 i32 i32 i32 i32)))
  ;; MLAS_QGEMM_OUTPUT_PROCESSOR::Process: this, C, first row, first column, rows, columns, ldc
  (type $process (func (param i32 i32 i32 i32 i32 i32 i32)))
  ;; First, because V8 keeps base and size of the first memory at hand, and of one that cannot grow as constants.
  (import "kernel" "packed" (memory $packed 5 5))
  (import "onnxruntime" "memory" (memory $heap 1 65536 shared))
  ;; What this takes the place of: for all that it does not do itself.
  (import "onnxruntime" "operation" (func $original (type $operation)))
  ;; Its functions, by the numbers that its pointers to functions are.
  (import "onnxruntime" "table" (table $functions 1 funcref))
  ;; $packed: packed B from 0, packed A, a tile of C, a row.
  (global $packedB i32 (i32.const 0))
  (global $packedA i32 (i32.const 262144))
  (global $tile i32 (i32.const 278528))
  (global $row i32 (i32.const 278656))

  (func $min (param $x i32) (param $y i32) (result i32)
    (select (local.get $x) (local.get $y) (i32.lt_u (local.get $x) (local.get $y))))

  ;; $count bytes (fewer than 8) from $source, the rest of 8 as $fill, widened to 16 bits.
  (func $edge (param $source i32) (param $count i32) (param $fill i32) (result v128)
    (local $i i32)
    (i64.store (global.get $row) (i64.mul (i64.extend_i32_u (local.get $fill)) (i64.const 0x0101010101010101)))
    (block $done
      (loop $byte
        (br_if $done (i32.ge_u (local.get $i) (local.get $count)))
        (i32.store8
          (i32.add (global.get $row) (local.get $i))
          (i32.load8_u $heap (i32.add (local.get $source) (local.get $i))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $byte)))
    (v128.load8x8_u (global.get $row)))

  ;; Eight bytes from $source, or what there is of them.
  (func $eight (param $source i32) (param $count i32) (param $fill i32) (result v128)
    (if (result v128) (i32.ge_u (local.get $count) (i32.const 8))
      (then (v128.load8x8_u $heap (local.get $source)))
      (else (call $edge (local.get $source) (local.get $count) (local.get $fill)))))

  ;; $source[rows, columns] > panels of 8 columns, each [ceil(rows / 16) * 8][8 columns][2 rows] int16.
  (func $packB (param $source i32) (param $stride i32) (param $rows i32) (param $columns i32) (param $zero i32)
    (local $target i32) (local $at i32) (local $left i32) (local $even v128) (local $odd v128) (local $zeros v128)
    (local.set $target (global.get $packedB))
    (local.set $zeros (i16x8.splat (local.get $zero)))
    (loop $panel
      (local.set $at (local.get $source))
      (local.set $left (local.get $rows))
      (if (i32.ge_s (local.get $columns) (i32.const 8))
        (then
          (block $few
            (loop $both
              (br_if $few (i32.lt_s (local.get $left) (i32.const 2)))
              (local.set $even (i16x8.sub (v128.load8x8_u $heap (local.get $at)) (local.get $zeros)))
              (local.set $at (i32.add (local.get $at) (local.get $stride)))
              (local.set $odd (i16x8.sub (v128.load8x8_u $heap (local.get $at)) (local.get $zeros)))
              (local.set $at (i32.add (local.get $at) (local.get $stride)))
              (v128.store (local.get $target) (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $even) (local.get $odd)))
              (v128.store offset=16 (local.get $target) (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $even) (local.get $odd)))
              (local.set $target (i32.add (local.get $target) (i32.const 32)))
              (local.set $left (i32.sub (local.get $left) (i32.const 2)))
              (br $both)))))
      ;; What is left of the rows, and zeros until their number is a multiple of 16.
      (block $full (loop $pair
        (br_if $full
          (i32.and (i32.le_s (local.get $left) (i32.const 0))
            (i32.eqz (i32.and (i32.sub (local.get $rows) (local.get $left)) (i32.const 15)))))
        (local.set $even (v128.const i64x2 0 0))
        (local.set $odd (v128.const i64x2 0 0))
        (if (i32.gt_s (local.get $left) (i32.const 0))
          (then
            (local.set $even
              (i16x8.sub (call $eight (local.get $at) (local.get $columns) (local.get $zero)) (local.get $zeros)))))
        (if (i32.gt_s (local.get $left) (i32.const 1))
          (then
            (local.set $odd
              (i16x8.sub
                (call $eight (i32.add (local.get $at) (local.get $stride)) (local.get $columns) (local.get $zero))
                (local.get $zeros)))))
        (v128.store (local.get $target) (i8x16.shuffle 0 1 16 17 2 3 18 19 4 5 20 21 6 7 22 23 (local.get $even) (local.get $odd)))
        (v128.store offset=16 (local.get $target) (i8x16.shuffle 8 9 24 25 10 11 26 27 12 13 28 29 14 15 30 31 (local.get $even) (local.get $odd)))
        (local.set $target (i32.add (local.get $target) (i32.const 32)))
        (local.set $at (i32.add (local.get $at) (i32.shl (local.get $stride) (i32.const 1))))
        (local.set $left (i32.sub (local.get $left) (i32.const 2)))
        (br $pair)))
      (local.set $source (i32.add (local.get $source) (i32.const 8)))
      (local.set $columns (i32.sub (local.get $columns) (i32.const 8)))
      (br_if $panel (i32.gt_s (local.get $columns) (i32.const 0)))))

  ;; $source[rows, columns] > panels of 4 rows, each [ceil(columns / 16) * 8][4 rows][2 columns] int16.
  (func $packA (param $source i32) (param $stride i32) (param $rows i32) (param $columns i32) (param $zero i32)
    (local $target i32) (local $left i32) (local $last i32) (local $zeros v128)
    (local $p0 i32) (local $p1 i32) (local $p2 i32) (local $p3 i32)
    (local $r0 v128) (local $r1 v128) (local $r2 v128) (local $r3 v128)
    (local $t0 v128) (local $t1 v128) (local $t2 v128) (local $t3 v128)
    (local.set $target (global.get $packedA))
    (local.set $zeros (i16x8.splat (local.get $zero)))
    (loop $panel
      (local.set $last (i32.sub (local.get $rows) (i32.const 1)))
      (local.set $p0 (local.get $source))
      (local.set $p1 (i32.add (local.get $source) (i32.mul (local.get $stride) (call $min (i32.const 1) (local.get $last)))))
      (local.set $p2 (i32.add (local.get $source) (i32.mul (local.get $stride) (call $min (i32.const 2) (local.get $last)))))
      (local.set $p3 (i32.add (local.get $source) (i32.mul (local.get $stride) (call $min (i32.const 3) (local.get $last)))))
      (local.set $left (local.get $columns))
      (loop $eight
        (if (i32.ge_s (local.get $left) (i32.const 8))
          (then
            (local.set $r0 (v128.load8x8_u $heap (local.get $p0)))
            (local.set $r1 (v128.load8x8_u $heap (local.get $p1)))
            (local.set $r2 (v128.load8x8_u $heap (local.get $p2)))
            (local.set $r3 (v128.load8x8_u $heap (local.get $p3))))
          (else
            (local.set $r0 (call $edge (local.get $p0) (local.get $left) (local.get $zero)))
            (local.set $r1 (call $edge (local.get $p1) (local.get $left) (local.get $zero)))
            (local.set $r2 (call $edge (local.get $p2) (local.get $left) (local.get $zero)))
            (local.set $r3 (call $edge (local.get $p3) (local.get $left) (local.get $zero)))))
        (local.set $r0 (i16x8.sub (local.get $r0) (local.get $zeros)))
        (local.set $r1 (i16x8.sub (local.get $r1) (local.get $zeros)))
        (local.set $r2 (i16x8.sub (local.get $r2) (local.get $zeros)))
        (local.set $r3 (i16x8.sub (local.get $r3) (local.get $zeros)))
        (local.set $t0 (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $r0) (local.get $r1)))
        (local.set $t1 (i8x16.shuffle 0 1 2 3 16 17 18 19 4 5 6 7 20 21 22 23 (local.get $r2) (local.get $r3)))
        (local.set $t2 (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $r0) (local.get $r1)))
        (local.set $t3 (i8x16.shuffle 8 9 10 11 24 25 26 27 12 13 14 15 28 29 30 31 (local.get $r2) (local.get $r3)))
        (v128.store (local.get $target) (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $t0) (local.get $t1)))
        (v128.store offset=16 (local.get $target) (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $t0) (local.get $t1)))
        (v128.store offset=32 (local.get $target) (i8x16.shuffle 0 1 2 3 4 5 6 7 16 17 18 19 20 21 22 23 (local.get $t2) (local.get $t3)))
        (v128.store offset=48 (local.get $target) (i8x16.shuffle 8 9 10 11 12 13 14 15 24 25 26 27 28 29 30 31 (local.get $t2) (local.get $t3)))
        (local.set $target (i32.add (local.get $target) (i32.const 64)))
        (local.set $p0 (i32.add (local.get $p0) (i32.const 8)))
        (local.set $p1 (i32.add (local.get $p1) (i32.const 8)))
        (local.set $p2 (i32.add (local.get $p2) (i32.const 8)))
        (local.set $p3 (i32.add (local.get $p3) (i32.const 8)))
        (local.set $left (i32.sub (local.get $left) (i32.const 8)))
        (br_if $eight (i32.gt_s (local.get $left) (i32.const 0))))
      ;; $left is 0 or less: eight columns of zeros where the number of eights is odd.
      (if (i32.and (i32.sub (local.get $columns) (local.get $left)) (i32.const 8))
        (then
          (v128.store (local.get $target) (v128.const i64x2 0 0))
          (v128.store offset=16 (local.get $target) (v128.const i64x2 0 0))
          (v128.store offset=32 (local.get $target) (v128.const i64x2 0 0))
          (v128.store offset=48 (local.get $target) (v128.const i64x2 0 0))
          (local.set $target (i32.add (local.get $target) (i32.const 64)))))
      (local.set $source (i32.add (local.get $source) (i32.shl (local.get $stride) (i32.const 2))))
      (local.set $rows (i32.sub (local.get $rows) (i32.const 4)))
      (br_if $panel (i32.gt_s (local.get $rows) (i32.const 0)))))

  ;; C[4, 8] = or += a panel of A times a panel of B; of C only $rows by $columns are written, $stride bytes from row to row.
  (func $multiply (param $a i32) (param $b i32) (param $end i32) (param $c i32) (param $stride i32)
    (param $rows i32) (param $columns i32) (param $adds i32)
    (local $c00 v128) (local $c01 v128) (local $c10 v128) (local $c11 v128) (local $c20 v128) (local $c21 v128) (local $c30 v128) (local $c31 v128)
    (local $av v128) (local $b0 v128) (local $b1 v128) (local $s v128) (local $i i32) (local $from i32)
    (loop $eightPairs
        ;; pair 0 of 8
        (local.set $av (v128.load offset=0 (local.get $a)))
        (local.set $b0 (v128.load offset=0 (local.get $b)))
        (local.set $b1 (v128.load offset=16 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 1 of 8
        (local.set $av (v128.load offset=16 (local.get $a)))
        (local.set $b0 (v128.load offset=32 (local.get $b)))
        (local.set $b1 (v128.load offset=48 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 2 of 8
        (local.set $av (v128.load offset=32 (local.get $a)))
        (local.set $b0 (v128.load offset=64 (local.get $b)))
        (local.set $b1 (v128.load offset=80 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 3 of 8
        (local.set $av (v128.load offset=48 (local.get $a)))
        (local.set $b0 (v128.load offset=96 (local.get $b)))
        (local.set $b1 (v128.load offset=112 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 4 of 8
        (local.set $av (v128.load offset=64 (local.get $a)))
        (local.set $b0 (v128.load offset=128 (local.get $b)))
        (local.set $b1 (v128.load offset=144 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 5 of 8
        (local.set $av (v128.load offset=80 (local.get $a)))
        (local.set $b0 (v128.load offset=160 (local.get $b)))
        (local.set $b1 (v128.load offset=176 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 6 of 8
        (local.set $av (v128.load offset=96 (local.get $a)))
        (local.set $b0 (v128.load offset=192 (local.get $b)))
        (local.set $b1 (v128.load offset=208 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        ;; pair 7 of 8
        (local.set $av (v128.load offset=112 (local.get $a)))
        (local.set $b0 (v128.load offset=224 (local.get $b)))
        (local.set $b1 (v128.load offset=240 (local.get $b)))
        (local.set $s (i8x16.shuffle 0 1 2 3 0 1 2 3 0 1 2 3 0 1 2 3 (local.get $av) (local.get $av)))
        (local.set $c00 (i32x4.add (local.get $c00) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c01 (i32x4.add (local.get $c01) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 4 5 6 7 4 5 6 7 4 5 6 7 4 5 6 7 (local.get $av) (local.get $av)))
        (local.set $c10 (i32x4.add (local.get $c10) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c11 (i32x4.add (local.get $c11) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 8 9 10 11 8 9 10 11 8 9 10 11 8 9 10 11 (local.get $av) (local.get $av)))
        (local.set $c20 (i32x4.add (local.get $c20) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c21 (i32x4.add (local.get $c21) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))
        (local.set $s (i8x16.shuffle 12 13 14 15 12 13 14 15 12 13 14 15 12 13 14 15 (local.get $av) (local.get $av)))
        (local.set $c30 (i32x4.add (local.get $c30) (i32x4.dot_i16x8_s (local.get $b0) (local.get $s))))
        (local.set $c31 (i32x4.add (local.get $c31) (i32x4.dot_i16x8_s (local.get $b1) (local.get $s))))

        (local.set $a (i32.add (local.get $a) (i32.const 128)))
        (local.set $b (i32.add (local.get $b) (i32.const 256)))
        (br_if $eightPairs (i32.lt_u (local.get $a) (local.get $end))))
    (if (i32.and (i32.ge_u (local.get $rows) (i32.const 4)) (i32.ge_u (local.get $columns) (i32.const 8)))
      (then
        (if (local.get $adds)
          (then
            (v128.store $heap offset=0 (local.get $c) (i32x4.add (v128.load $heap offset=0 (local.get $c)) (local.get $c00)))
            (v128.store $heap offset=16 (local.get $c) (i32x4.add (v128.load $heap offset=16 (local.get $c)) (local.get $c01)))
            (local.set $c (i32.add (local.get $c) (local.get $stride)))
            (v128.store $heap offset=0 (local.get $c) (i32x4.add (v128.load $heap offset=0 (local.get $c)) (local.get $c10)))
            (v128.store $heap offset=16 (local.get $c) (i32x4.add (v128.load $heap offset=16 (local.get $c)) (local.get $c11)))
            (local.set $c (i32.add (local.get $c) (local.get $stride)))
            (v128.store $heap offset=0 (local.get $c) (i32x4.add (v128.load $heap offset=0 (local.get $c)) (local.get $c20)))
            (v128.store $heap offset=16 (local.get $c) (i32x4.add (v128.load $heap offset=16 (local.get $c)) (local.get $c21)))
            (local.set $c (i32.add (local.get $c) (local.get $stride)))
            (v128.store $heap offset=0 (local.get $c) (i32x4.add (v128.load $heap offset=0 (local.get $c)) (local.get $c30)))
            (v128.store $heap offset=16 (local.get $c) (i32x4.add (v128.load $heap offset=16 (local.get $c)) (local.get $c31))))
          (else
            (v128.store $heap offset=0 (local.get $c) (local.get $c00))
            (v128.store $heap offset=16 (local.get $c) (local.get $c01))
            (local.set $c (i32.add (local.get $c) (local.get $stride)))
            (v128.store $heap offset=0 (local.get $c) (local.get $c10))
            (v128.store $heap offset=16 (local.get $c) (local.get $c11))
            (local.set $c (i32.add (local.get $c) (local.get $stride)))
            (v128.store $heap offset=0 (local.get $c) (local.get $c20))
            (v128.store $heap offset=16 (local.get $c) (local.get $c21))
            (local.set $c (i32.add (local.get $c) (local.get $stride)))
            (v128.store $heap offset=0 (local.get $c) (local.get $c30))
            (v128.store $heap offset=16 (local.get $c) (local.get $c31)))))
      (else
        (v128.store offset=0 (global.get $tile) (local.get $c00))
        (v128.store offset=16 (global.get $tile) (local.get $c01))
        (v128.store offset=32 (global.get $tile) (local.get $c10))
        (v128.store offset=48 (global.get $tile) (local.get $c11))
        (v128.store offset=64 (global.get $tile) (local.get $c20))
        (v128.store offset=80 (global.get $tile) (local.get $c21))
        (v128.store offset=96 (global.get $tile) (local.get $c30))
        (v128.store offset=112 (global.get $tile) (local.get $c31))
        (local.set $rows (call $min (local.get $rows) (i32.const 4)))
        (local.set $columns (call $min (local.get $columns) (i32.const 8)))
        (local.set $from (global.get $tile))
        (loop $row
          (local.set $i (i32.const 0))
          (loop $column
            (i32.store $heap (i32.add (local.get $c) (local.get $i))
              (i32.add
                (i32.load (i32.add (local.get $from) (local.get $i)))
                (if (result i32) (local.get $adds)
                  (then (i32.load $heap (i32.add (local.get $c) (local.get $i))))
                  (else (i32.const 0)))))
            (local.set $i (i32.add (local.get $i) (i32.const 4)))
            (br_if $column (i32.lt_u (local.get $i) (i32.shl (local.get $columns) (i32.const 2)))))
          (local.set $from (i32.add (local.get $from) (i32.const 32)))
          (local.set $c (i32.add (local.get $c) (local.get $stride)))
          (local.set $rows (i32.sub (local.get $rows) (i32.const 1)))
          (br_if $row (local.get $rows))))))

  ;; Packed A [rows, depth] times packed B [depth, columns], into or onto C.
  (func $block (param $depth i32) (param $rows i32) (param $columns i32) (param $c i32) (param $stride i32) (param $adds i32)
    (local $a i32) (local $b i32) (local $at i32) (local $left i32) (local $panelBytes i32)
    ;; A panel of A: 4 rows of int16; one of B is twice as large.
    (local.set $panelBytes (i32.shl (i32.and (i32.add (local.get $depth) (i32.const 15)) (i32.const -16)) (i32.const 3)))
    (local.set $b (global.get $packedB))
    (loop $column
      (local.set $a (global.get $packedA))
      (local.set $at (local.get $c))
      (local.set $left (local.get $rows))
      (loop $row
        (call $multiply (local.get $a) (local.get $b) (i32.add (local.get $a) (local.get $panelBytes)) (local.get $at)
          (local.get $stride) (local.get $left) (local.get $columns) (local.get $adds))
        (local.set $a (i32.add (local.get $a) (local.get $panelBytes)))
        (local.set $at (i32.add (local.get $at) (i32.shl (local.get $stride) (i32.const 2))))
        (local.set $left (i32.sub (local.get $left) (i32.const 4)))
        (br_if $row (i32.gt_s (local.get $left) (i32.const 0))))
      (local.set $b (i32.add (local.get $b) (i32.shl (local.get $panelBytes) (i32.const 1))))
      (local.set $c (i32.add (local.get $c) (i32.const 32)))
      (local.set $columns (i32.sub (local.get $columns) (i32.const 8)))
      (br_if $column (i32.gt_s (local.get $columns) (i32.const 0)))))

  (func $gemm (param $a i32) (param $lda i32) (param $zeroA i32) (param $b i32) (param $ldb i32) (param $zeroB i32)
    (param $c i32) (param $ldc i32) (param $m i32) (param $n i32) (param $k i32)
    (local $n0 i32) (local $k0 i32) (local $m0 i32) (local $columns i32) (local $depth i32) (local $rows i32)
    (loop $columnBlock
      (local.set $columns (call $min (i32.const 256) (i32.sub (local.get $n) (local.get $n0))))
      (local.set $k0 (i32.const 0))
      (loop $depthBlock
        (local.set $depth (call $min (i32.const 512) (i32.sub (local.get $k) (local.get $k0))))
        (call $packB
          (i32.add (i32.add (local.get $b) (i32.mul (local.get $k0) (local.get $ldb))) (local.get $n0))
          (local.get $ldb) (local.get $depth) (local.get $columns) (local.get $zeroB))
        (local.set $m0 (i32.const 0))
        (loop $rowBlock
          (local.set $rows (call $min (i32.const 16) (i32.sub (local.get $m) (local.get $m0))))
          (call $packA
            (i32.add (i32.add (local.get $a) (i32.mul (local.get $m0) (local.get $lda))) (local.get $k0))
            (local.get $lda) (local.get $rows) (local.get $depth) (local.get $zeroA))
          (call $block (local.get $depth) (local.get $rows) (local.get $columns)
            (i32.add
              (local.get $c)
              (i32.shl (i32.add (i32.mul (local.get $m0) (local.get $ldc)) (local.get $n0)) (i32.const 2)))
            (i32.shl (local.get $ldc) (i32.const 2))
            (local.get $k0))
          (local.set $m0 (i32.add (local.get $m0) (i32.const 16)))
          (br_if $rowBlock (i32.lt_u (local.get $m0) (local.get $m))))
        (local.set $k0 (i32.add (local.get $k0) (i32.const 512)))
        (br_if $depthBlock (i32.lt_u (local.get $k0) (local.get $k))))
      (local.set $n0 (i32.add (local.get $n0) (i32.const 256)))
      (br_if $columnBlock (i32.lt_u (local.get $n0) (local.get $n)))))

  ;; MlasGemmQuantOperation: the rows and columns of C in a range.
  (func $operation (export "operation") (type $operation)
    (param $shape i32) (param $data i32) (param $startM i32) (param $countM i32) (param $startN i32) (param $countN i32)
    (local $k i32) (local $ldc i32) (local $lda i32) (local $processor i32)
    (local.set $k (i32.load $heap offset=8 (local.get $shape)))
    (if
      (i32.or
        ;; signed A, signed B, accumulating
        (i32.or (i32.load16_u $heap offset=12 (local.get $shape)) (i32.load8_u $heap offset=14 (local.get $shape)))
        (i32.or
          ;; packed B, a zero point a column, no zero point at all, nothing to do
          (i32.or (i32.load16_u $heap offset=24 (local.get $data)) (i32.eqz (i32.load $heap offset=20 (local.get $data))))
          (i32.or (i32.eqz (local.get $k)) (i32.or (i32.eqz (local.get $countM)) (i32.eqz (local.get $countN))))))
      (then
        (call $original (local.get $shape) (local.get $data) (local.get $startM) (local.get $countM)
          (local.get $startN) (local.get $countN))
        (return)))
    (local.set $lda (i32.load $heap offset=4 (local.get $data)))
    (local.set $ldc (i32.load $heap offset=32 (local.get $data)))
    (call $gemm
      (i32.add (i32.load $heap (local.get $data)) (i32.mul (local.get $startM) (local.get $lda)))
      (local.get $lda)
      (i32.load8_u $heap offset=8 (local.get $data))
      (i32.add (i32.load $heap offset=12 (local.get $data)) (local.get $startN))
      (i32.load $heap offset=16 (local.get $data))
      (i32.load8_u $heap (i32.load $heap offset=20 (local.get $data)))
      (i32.add
        (i32.load $heap offset=28 (local.get $data))
        (i32.shl (i32.add (i32.mul (local.get $startM) (local.get $ldc)) (local.get $startN)) (i32.const 2)))
      (local.get $ldc)
      (local.get $countM)
      (local.get $countN)
      (local.get $k))
    ;; Scales, biases: the first function of the processor's table of virtual ones makes floats of the sums.
    (local.set $processor (i32.load $heap offset=36 (local.get $data)))
    (if (local.get $processor)
      (then
        (call_indirect $functions (type $process)
          (local.get $processor)
          (i32.load $heap offset=28 (local.get $data))
          (local.get $startM) (local.get $startN) (local.get $countM) (local.get $countN)
          (local.get $ldc)
          (i32.load $heap (i32.load $heap (local.get $processor))))))))
