package main

import (
	"fmt"
	"net/http"
)

func main() {
	for _, url := range []string{
		"https://management.azure.com/metadata/endpoints?api-version=2015-01-01",
		"http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/",
		"https://example.com/",
	} {
		request, _ := http.NewRequest("GET", url, nil)
		request.Header.Set("Metadata", "true")
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			fmt.Println("refused")
			continue
		}
		fmt.Println(answer.StatusCode)
	}
}
