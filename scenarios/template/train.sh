# Runs on a node; $1: how many epochs. Replace it with your own program.
epoch=1
while [ "$epoch" -le "$1" ]; do
    loss=$(awk "BEGIN { print 1 / (1 + $epoch) }")
    echo "Epoch $epoch of $1: loss $loss"
    epoch=$((epoch + 1))
    sleep 0.2
done
echo "loss $loss" > "$AZ_BATCHAI_OUTPUT_MODEL/model.txt"
