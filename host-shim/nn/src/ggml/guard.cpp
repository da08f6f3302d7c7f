// The calls into llama.cpp that can fail, each with its failure as a return value.
//
// llama.cpp reports some failures by C++ exceptions, which must not reach Rust, and some by GGML_ASSERT, which
// prints and calls abort(). Its hook for the latter runs first and may throw: the assertion then unwinds like any
// other exception, but only on a thread that is inside one of the calls below. On x86-64 and aarch64 Linux every
// frame, also of C, carries unwind tables. That is the last line of defence and not the first: the Rust side checks
// a model before llama.cpp sees it (src/ggml/gguf), and gives a context up after a failed call.

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <unistd.h>
#include <vector>

#include <ggml-backend.h>
#include <ggml.h>
#include <llama.h>

namespace {

thread_local bool inside = false;

void on_assertion(const char *message) {
  if (inside) {
    throw std::runtime_error(message);
  }
  std::fprintf(stderr, "%s\n", message);
}

// Runs `call`; gives `failed`, and the reason in `message`, where it throws.
template <typename Result, typename Call>
Result guarded(Result failed, char *message, size_t size, Call &&call) noexcept {
  const bool outer = inside;
  inside = true;
  const char *reason = "";
  Result result = failed;
  try {
    result = call();
  } catch (const std::exception &error) {
    reason = error.what();
    std::snprintf(message, size, "%s", reason);
  } catch (...) {
    std::snprintf(message, size, "unknown exception");
  }
  inside = outer;
  return result;
}

} // namespace

extern "C" {

// Which hidden states make the vector of a sequence.
enum endcap_pooling : int32_t { ENDCAP_LAST = 0, ENDCAP_MEAN = 1, ENDCAP_FIRST = 2 };

// Where a context puts it.
struct endcap_tap {
  float *vector;
  int64_t length;
  // One of endcap_pooling.
  int32_t pooling;
  // Hidden states seen since the batch began. 0: the vector is of before.
  int64_t rows;
};

// Stops the graph at the final norm: an embedding needs no logits, and with one token per item the matrix of the
// logits is the largest of the model. A long batch comes here part by part. The node has one name in decoders and
// another in encoders.
static bool endcap_at_final_norm(ggml_tensor *tensor, bool ask, void *data) {
  const bool here = std::strcmp(tensor->name, "result_norm") == 0 || std::strcmp(tensor->name, "result_embd") == 0;
  if (ask) {
    return here;
  }
  auto *tap = static_cast<endcap_tap *>(data);
  const int64_t rows = ggml_nrows(tensor);
  if (tensor->type != GGML_TYPE_F32 || tensor->ne[0] != tap->length || !ggml_is_contiguous(tensor) || rows == 0) {
    return false;
  }
  const size_t row = static_cast<size_t>(tap->length) * sizeof(float);
  if (tap->pooling == ENDCAP_LAST) {
    ggml_backend_tensor_get(tensor, tap->vector, static_cast<size_t>(rows - 1) * row, row);
  } else if (tap->pooling == ENDCAP_FIRST) {
    if (tap->rows == 0) {
      ggml_backend_tensor_get(tensor, tap->vector, 0, row);
    }
  } else {
    std::vector<float> states(static_cast<size_t>(rows * tap->length));
    ggml_backend_tensor_get(tensor, states.data(), 0, static_cast<size_t>(rows) * row);
    if (tap->rows == 0) {
      std::memset(tap->vector, 0, row);
    }
    for (int64_t at = 0; at < rows * tap->length; ++at) {
      tap->vector[at % tap->length] += states[static_cast<size_t>(at)];
    }
  }
  tap->rows += rows;
  return false;
}

void endcap_init() {
  ggml_set_abort_callback(on_assertion);
  llama_backend_init();
}

// Takes the file over, also where it fails.
llama_model *endcap_model_load(int file, llama_model_params params, char *message, size_t size) {
  FILE *stream = fdopen(file, "rb");
  if (stream == nullptr) {
    std::snprintf(message, size, "fdopen: %s", std::strerror(errno));
    close(file);
    return nullptr;
  }
  llama_model *model = guarded<llama_model *>(
      nullptr, message, size, [&] { return llama_model_load_from_file_ptr(stream, params); });
  // Weights are copied or mapped by now; a mapping outlives its file.
  std::fclose(stream);
  return model;
}

// With a tap, the context computes embeddings and no logits. The tap must outlive the context.
llama_context *endcap_context_new(llama_model *model, llama_context_params params, endcap_tap *tap, char *message,
                                  size_t size) {
  if (tap != nullptr) {
    params.cb_eval = endcap_at_final_norm;
    params.cb_eval_user_data = tap;
  }
  return guarded<llama_context *>(nullptr, message, size, [&] { return llama_init_from_model(model, params); });
}

// 0, a code of llama_decode, or INT32_MIN for an exception. Appends to what the context has seen. The hidden state of
// the last token comes out, or of every one.
int32_t endcap_decode(llama_context *context, llama_token *tokens, int32_t count, bool all, char *message,
                      size_t size) {
  return guarded<int32_t>(INT32_MIN, message, size, [&] {
    llama_batch batch = llama_batch_get_one(tokens, count);
    std::vector<int8_t> outputs(static_cast<size_t>(all ? count : 0), 1);
    if (all) {
      batch.logits = outputs.data();
    }
    return llama_decode(context, batch);
  });
}

void endcap_forget(llama_context *context) { llama_memory_clear(llama_get_memory(context), false); }

// As llama_tokenize: the count, minus the count needed, or INT32_MIN.
int32_t endcap_tokenize(const llama_vocab *vocab, const char *text, int32_t length, llama_token *tokens,
                        int32_t capacity, char *message, size_t size) {
  return guarded<int32_t>(INT32_MIN, message, size, [&] {
    const bool add_special = true, parse_special = true;
    return llama_tokenize(vocab, text, length, tokens, capacity, add_special, parse_special);
  });
}

// As llama_token_to_piece: the length, minus the length needed, or INT32_MIN.
int32_t endcap_piece(const llama_vocab *vocab, llama_token token, char *text, int32_t capacity, char *message,
                     size_t size) {
  return guarded<int32_t>(INT32_MIN, message, size, [&] {
    const int32_t left_strip = 0;
    const bool special = true;
    return llama_token_to_piece(vocab, token, text, capacity, left_strip, special);
  });
}
}
