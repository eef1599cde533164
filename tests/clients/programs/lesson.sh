# The quick jobs' training script: reads its input, reports, and leaves a model.
echo "seen $(wc -l < "$AZ_BATCHAI_INPUT_LESSON/lesson.sh") lines"
echo "weights of $(wc -l < "$AZ_BATCHAI_INPUT_LESSON/lesson.sh") lines" > "$1/model.txt"
