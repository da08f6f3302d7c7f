;; A component that infers by wasi:nn: `infer` gives the graph of this name an input [2, width] of 1, 2, 3, ... and
;; returns the first output, or the number and the text of the error that came. `hold` makes tensors of 64 KiB and
;; keeps them.
(component $infer
  (import "wasi:nn/errors@0.2.0-rc-2024-10-28" (instance $errors
    (export "error" (type $error (sub resource)))
    (type $code (enum "invalid-argument" "invalid-encoding" "timeout" "runtime-error" "unsupported-operation"
      "too-large" "not-found" "security" "unknown"))
    (export "error-code" (type $error-code (eq $code)))
    (export "[method]error.code" (func (param "self" (borrow $error)) (result $error-code)))
    (export "[method]error.data" (func (param "self" (borrow $error)) (result string)))))
  (alias export $errors "error" (type $error))
  (import "wasi:nn/tensor@0.2.0-rc-2024-10-28" (instance $tensors
    (export "tensor" (type $tensor (sub resource)))
    (type $type (enum "FP16" "FP32" "FP64" "BF16" "U8" "I32" "I64"))
    (export "tensor-type" (type $tensor-type (eq $type)))
    (export "[constructor]tensor" (func
      (param "dimensions" (list u32)) (param "ty" $tensor-type) (param "data" (list u8)) (result (own $tensor))))
    (export "[method]tensor.data" (func (param "self" (borrow $tensor)) (result (list u8))))))
  (alias export $tensors "tensor" (type $tensor))
  (import "wasi:nn/inference@0.2.0-rc-2024-10-28" (instance $inference
    (alias outer $infer $error (type $error0))
    (export "error" (type $error (eq $error0)))
    (alias outer $infer $tensor (type $tensor0))
    (export "tensor" (type $tensor (eq $tensor0)))
    (export "graph-execution-context" (type $context (sub resource)))
    (export "[method]graph-execution-context.compute" (func
      (param "self" (borrow $context)) (param "inputs" (list (tuple string (own $tensor))))
      (result (result (list (tuple string (own $tensor))) (error (own $error))))))))
  (alias export $inference "graph-execution-context" (type $context))
  (import "wasi:nn/graph@0.2.0-rc-2024-10-28" (instance $graphs
    (alias outer $infer $error (type $error0))
    (export "error" (type $error (eq $error0)))
    (alias outer $infer $context (type $context0))
    (export "graph-execution-context" (type $context (eq $context0)))
    (export "graph" (type $graph (sub resource)))
    (export "[method]graph.init-execution-context" (func
      (param "self" (borrow $graph)) (result (result (own $context) (error (own $error))))))
    (export "load-by-name" (func (param "name" string) (result (result (own $graph) (error (own $error))))))))

  (core module $memory
    (memory (export "memory") 16)
    (global $next (mut i32) (i32.const 131072))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 7)) (i32.const -8)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))

  (core func $code (canon lower (func $errors "[method]error.code")))
  (core func $text (canon lower (func $errors "[method]error.data") (memory $mem) (realloc $realloc)))
  (core func $new (canon lower (func $tensors "[constructor]tensor") (memory $mem) (realloc $realloc)))
  (core func $data (canon lower (func $tensors "[method]tensor.data") (memory $mem) (realloc $realloc)))
  (core func $compute (canon lower
    (func $inference "[method]graph-execution-context.compute") (memory $mem) (realloc $realloc)))
  (core func $context (canon lower
    (func $graphs "[method]graph.init-execution-context") (memory $mem) (realloc $realloc)))
  (core func $load (canon lower (func $graphs "load-by-name") (memory $mem) (realloc $realloc)))

  (core module $main
    (import "nn" "memory" (memory 16))
    (import "nn" "code" (func $code (param i32) (result i32)))
    (import "nn" "text" (func $text (param i32 i32)))
    (import "nn" "new" (func $new (param i32 i32 i32 i32 i32) (result i32)))
    (import "nn" "data" (func $data (param i32 i32)))
    (import "nn" "compute" (func $compute (param i32 i32 i32 i32)))
    (import "nn" "context" (func $context (param i32 i32)))
    (import "nn" "load" (func $load (param i32 i32 i32)))
    (data (i32.const 0) "x")
    ;; What is returned stands at 512: ok with pointer and length, or err with number, pointer and length.
    (func $failed (param $error i32) (result i32)
      (i32.store8 (i32.const 512) (i32.const 1))
      (i32.store (i32.const 516) (call $code (local.get $error)))
      (call $text (local.get $error) (i32.const 520))
      (i32.const 512))
    (func (export "infer") (param $name i32) (param $length i32) (param $width i32) (result i32)
      (local $at i32) (local $count i32)
      ;; Results of calls at 64: which at 64, the handle or the list at 68.
      (call $load (local.get $name) (local.get $length) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (call $failed (i32.load (i32.const 68))))))
      (call $context (i32.load (i32.const 68)) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (call $failed (i32.load (i32.const 68))))))
      ;; Numbers at 1024, sizes at 32.
      (local.set $count (i32.mul (i32.const 2) (local.get $width)))
      (loop $fill
        (f32.store
          (i32.add (i32.const 1024) (i32.mul (i32.const 4) (local.get $at)))
          (f32.convert_i32_u (i32.add (local.get $at) (i32.const 1))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $fill (i32.lt_u (local.get $at) (local.get $count))))
      (i32.store (i32.const 32) (i32.const 2))
      (i32.store (i32.const 36) (local.get $width))
      ;; One input at 40: its name's pointer and length, and the tensor.
      (i32.store (i32.const 40) (i32.const 0))
      (i32.store (i32.const 44) (i32.const 1))
      (i32.store (i32.const 48)
        (call $new (i32.const 32) (i32.const 2) (i32.const 1)
          (i32.const 1024) (i32.mul (i32.const 4) (local.get $count))))
      (call $compute (i32.load (i32.const 68)) (i32.const 40) (i32.const 1) (i32.const 64))
      (if (i32.load8_u (i32.const 64)) (then (return (call $failed (i32.load (i32.const 68))))))
      ;; The first output's tensor follows its name; its bytes are the list of numbers.
      (call $data (i32.load (i32.add (i32.load (i32.const 68)) (i32.const 8))) (i32.const 516))
      (i32.store (i32.const 520) (i32.div_u (i32.load (i32.const 520)) (i32.const 4)))
      (i32.store8 (i32.const 512) (i32.const 0))
      (i32.const 512))
    (func (export "hold") (param $count i32)
      (loop $more
        (drop (call $new (i32.const 32) (i32.const 0) (i32.const 4) (i32.const 1024) (i32.const 65536)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br_if $more (local.get $count)))))
  (core instance $main (instantiate $main (with "nn" (instance
    (export "memory" (memory $mem))
    (export "code" (func $code))
    (export "text" (func $text))
    (export "new" (func $new))
    (export "data" (func $data))
    (export "compute" (func $compute))
    (export "context" (func $context))
    (export "load" (func $load))))))

  (func (export "infer") (param "name" string) (param "width" u32)
    (result (result (list f32) (error (tuple u32 string))))
    (canon lift (core func $main "infer") (memory $mem) (realloc $realloc)))
  (func (export "hold") (param "count" u32) (canon lift (core func $main "hold"))))
